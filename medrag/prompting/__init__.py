"""Questions and hits to prompts; text to citations."""

from medrag.prompting.fitting import Fitted, fit, limits_of
from medrag.prompting.templates import build_prompt, load_template

__all__ = ["Fitted", "build_prompt", "fit", "limits_of", "load_template"]
