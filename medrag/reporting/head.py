"""The head of a page: its style, and a policy that lets nothing else in."""

import base64
import hashlib

from medrag.reporting.markup import Html, text


def head(title: str, style: str) -> Html:
    """Write the head of a page that loads nothing and runs nothing."""
    # The hash lets this style sheet in and no other; without script-src nothing is ever run.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Html(
        '<head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title)}</title><style>{style}</style></head>"
    )
