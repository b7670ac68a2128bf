"""What differs between languages: stemmer, stop words, abbreviations, cues of negation.

English is complete; the other lists are short and sober. Phrases are lower case; "*" at the end of
a phrase stands for any ending.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        name: what tantivy calls its stemmer and stop words.
        stop_words: our own; where `tantivy_stop_words` is set, tantivy's list is used as well.
        abbreviations: words, without their last full stop, after which no sentence ends.
        abbreviations_before_number: those after which no sentence ends if a digit follows.
        negations_before: cues that deny what follows.
        negations_after: cues that deny what stands before.
        pseudo_negations: phrases that look like a cue and deny nothing, or not the finding.
        scope_ends: words that end what a cue denies.
        conjunctions: words that may join a new clause; an "or" goes on with what is denied.
        list_ends: conjunctions that go on with what is denied ("no a, b or c").
        clause_verbs: words that show that a clause of its own follows a conjunction.
        question_verbs: words that begin a question whose answer is yes or no.
    """

    name: str
    stop_words: frozenset[str]
    tantivy_stop_words: bool = True
    abbreviations: frozenset[str] = frozenset()
    abbreviations_before_number: frozenset[str] = frozenset()
    negations_before: tuple[str, ...] = ()
    negations_after: tuple[str, ...] = ()
    pseudo_negations: tuple[str, ...] = ()
    scope_ends: tuple[str, ...] = ()
    conjunctions: tuple[str, ...] = ()
    list_ends: tuple[str, ...] = ()
    clause_verbs: tuple[str, ...] = ()
    question_verbs: tuple[str, ...] = ()


def language_of(code: str) -> Language:
    """Look a language up by its ISO 639-1 code.

    Raises:
        ValueError: if the code is not in `LANGUAGES`.
    """
    try:
        return LANGUAGES[code]
    except KeyError:
        known = ", ".join(LANGUAGES)
        raise ValueError(f"unknown language {code!r}; known are {known}") from None


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _list(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.replace("\n", " ").split(",") if phrase.strip())


_ENGLISH = Language(
    name="english",
    stop_words=_set(
        """
        a about also am an and any are aren as at be because been being between both but by can
        cannot could couldn did didn do does doesn doing don each either etc for from had hadn
        has hasn have haven having he her here hers him his how however i if in into is isn it
        its itself just let ll may me might more most must my neither no nor not of off on one
        only or other our ours over own rather re s same she should shouldn since so some such t
        than that the their theirs them themselves then there these they this those through thus
        to too upon us ve very was wasn we were weren what when where whether which while who
        whom whose why will with within without won would wouldn you your yours
        """
    ),
    tantivy_stop_words=False,
    abbreviations=_set(
        "dr mr mrs ms prof vs viz cf e.g i.e eg ie al approx ca resp incl excl esp syn jr sr dept "
        "hosp ed eds rev gen st mt inc ltd op.cit figs eqs refs nos vols chs pts temp wt ht"
    ),
    abbreviations_before_number=_set("no fig eq ref vol ch p pp sec sect tab pt n art app"),
    negations_before=_list(
        """no, not, without, denies, denied, denying, deny, absence of, absent, negative for,
        negative, free of, free from, free, clear of, rule out, ruled out, rules out, ruling out,
        no evidence of, no sign of, no signs of, lack, lack of, lacks, lacking, lacked, never,
        neither, nor, none of, cannot, can't, don't, doesn't, didn't, isn't, aren't, wasn't,
        weren't, hasn't, haven't, hadn't, won't, fails to, failed to, fail to,
        failure to reveal, nothing, non, devoid of, rather than, instead of, unremarkable for,
        resolution of, exclude, excludes, excluding, unlikely to be, not suggestive of, no longer"""
    ),
    negations_after=_list(
        """is absent, are absent, was absent, were absent, absent, is ruled out, are ruled out,
        was ruled out, were ruled out, ruled out, has been ruled out, have been ruled out,
        been excluded, is excluded, are excluded, was excluded, were excluded, not seen,
        not identified, not present, not visuali*, not evident, not demonstrated, not detected,
        not found, not observed, not noted, not appreciated, not apparent, not visible,
        is negative, are negative, was negative, were negative, negative, is unlikely,
        are unlikely, unlikely, is lacking, are lacking, is denied, are denied, denied,
        was denied, were denied, isn't seen, aren't seen, isn't present, aren't present, none,
        is not, are not, was not, were not"""
    ),
    pseudo_negations=_list(
        """no increase, no decrease, no change, no interval change, no significant change,
        no significant interval change, no further, no doubt, no matter, no later than,
        no less than, no more than, no wonder, not only, not just, not merely, not simply,
        not necessarily, not always, not certain whether, not certain if, not clear whether,
        not known whether, not yet known, not exclude, not excluded, not rule out, not ruled out,
        cannot be excluded, cannot be ruled out, can not be excluded, can not be ruled out,
        could not be ruled out, could not be excluded, cannot exclude, cannot rule out,
        not drain, gram negative, gram-negative, rh negative, rh-negative,
        negative feedback, negative charge, negatively, without difficulty, not fully, not all,
        free radical*, free nerve ending*, free edge*, free surface*, free end*,
        double negative, negative pressure, negatively charged, no worsening, no improvement,
        no progression, free ribosome*, free wall*, free water, free hormone*, free air, free fluid,
        free gas, free flap*, free graft*, free t3, free t4, free thyroxine, free text,
        free light chain*"""
    ),
    scope_ends=_list(
        """but, however, although, though, even though, except, except for, apart from, aside from,
        other than, whereas, while, yet, nevertheless, despite, in spite of, because, because of,
        since, due to, secondary to, caused by, which, who, whom, until, unless, still, instead,
        so that, therefore, if, when, where, which has, that has, with exception of"""
    ),
    conjunctions=_list("and, with"),
    list_ends=_list("or, nor"),
    clause_verbs=_list(
        """is, are, was, were, has, have, had, there, shows, show, showed, appears, appear,
        appeared, remains, remain, demonstrates, demonstrate, contains, contain, does, do, did,
        reveals, revealed, presents, presented, develops, developed, it, they, he, she, can, may,
        will, becomes, became, suggests, suggest"""
    ),
    question_verbs=_list(
        """is, are, was, were, am, do, does, did, can, could, has, have, had, will, would, should,
        may, might, must, isn't, aren't, doesn't, don't"""
    ),
)

_GERMAN = Language(
    name="german",
    stop_words=_set("wer wen wem wo wann warum welche welcher welches wie wieviel sowie bzw"),
    abbreviations=_set("dr prof z.b d.h u.a ca bzw vgl sog evtl ggf inkl exkl bspw hr fr st usw"),
    abbreviations_before_number=_set("nr abb abs s kap tab bd fig"),
    negations_before=_list(
        """kein, keine, keinen, keinem, keiner, keines, keinerlei, nicht, ohne, ausschluss von,
        ausschluss einer, ausschluss eines, kein nachweis, kein hinweis auf, kein anhalt für,
        weder, noch, frei von, verneint, niemals, nie, fehlen von, fehlende, fehlender, fehlendes"""
    ),
    negations_after=_list(
        """ausgeschlossen, nicht nachweisbar, nicht nachgewiesen, nicht erkennbar,
        nicht abgrenzbar, nicht vorhanden, nicht sichtbar, nicht vor, nicht darstellbar, negativ,
        fehlt, fehlen, verneint, liegt nicht vor, besteht nicht, bestehen nicht, unwahrscheinlich"""
    ),
    pseudo_negations=_list(
        """nicht nur, nicht ausgeschlossen, nicht auszuschließen, keine zunahme, keine abnahme,
        keine veränderung, keine änderung, gramnegativ*, nicht unbedingt, nicht immer"""
    ),
    scope_ends=_list(
        "aber, jedoch, sondern, außer, obwohl, doch, während, wegen, aufgrund, weil, bei"
    ),
    conjunctions=_list("und, mit"),
    list_ends=_list("oder, noch"),
    clause_verbs=_list(
        "ist, sind, war, waren, hat, haben, zeigt, zeigen, besteht, liegt, findet, es, wird"
    ),
    question_verbs=_list("ist, sind, war, hat, haben, gibt, kann, können, liegt, besteht, zeigt"),
)

_FRENCH = Language(
    name="french",
    stop_words=_set("quel quelle quels quelles où quand comment pourquoi combien est-ce ainsi"),
    abbreviations=_set("dr pr mme mlle m cf p.ex env etc ex vs st ste"),
    abbreviations_before_number=_set("fig no n tab p pp vol chap art"),
    negations_before=_list(
        """pas de, pas d', pas, sans, aucun, aucune, absence de, absence d', ni, jamais,
        nie, négatif pour, négative pour, exclut, dépourvu de, dépourvue de, indemne de, non"""
    ),
    negations_after=_list(
        """absent, absente, absents, absentes, exclu, exclue, exclus, exclues, écarté, écartée,
        négatif, négative, non visible, non visualisé, non retrouvé, n'est pas visible"""
    ),
    pseudo_negations=_list(
        """pas seulement, non seulement, pas d'augmentation, pas de changement, pas exclu,
        pas exclue, sans changement, gram négatif, pas toujours"""
    ),
    scope_ends=_list("mais, cependant, toutefois, sauf, hormis, excepté, bien que, car, qui"),
    conjunctions=_list("et, avec"),
    list_ends=_list("ou, ni"),
    clause_verbs=_list("est, sont, était, étaient, a, ont, il, elle, montre, montrent, existe"),
    question_verbs=_list("est, est-ce, existe, y a-t-il, a-t-il, a-t-elle, sont, peut, peut-on"),
)

_SPANISH = Language(
    name="spanish",
    stop_words=_set("qué cuál cuáles quién dónde cuándo cómo cuánto cuánta cuántos cuántas"),
    abbreviations=_set("dr dra sr sra prof ej p.ej etc aprox vs ud uds"),
    abbreviations_before_number=_set("fig núm no tab pág p pp vol cap art"),
    negations_before=_list(
        """no, sin, niega, ausencia de, ningún, ninguna, ninguno, negativo para, negativa para,
        libre de, descarta, se descarta, ni, nunca, jamás, carece de, no se observa"""
    ),
    negations_after=_list(
        """ausente, ausentes, descartado, descartada, descartados, descartadas, negativo,
        negativa, negativos, negativas, excluido, excluida, no se observa, no se observan"""
    ),
    pseudo_negations=_list(
        """no solo, no sólo, sin cambios, no se descarta, no se puede descartar, no aumento,
        gram negativo, gram negativos, no siempre"""
    ),
    scope_ends=_list("pero, sin embargo, aunque, excepto, salvo, sino, debido a, porque, que"),
    conjunctions=_list("y, e, con"),
    list_ends=_list("o, u, ni"),
    clause_verbs=_list("es, son, está, están, era, hay, ha, han, tiene, muestra, muestran, existe"),
    question_verbs=_list("es, son, está, están, hay, existe, tiene, tienen, puede, pueden, se"),
)

_ITALIAN = Language(
    name="italian",
    stop_words=_set("quale quali chi dove quando come perché quanto quanta quanti quante"),
    abbreviations=_set("dr dott prof sig sig.ra ecc es p.es ca vs"),
    abbreviations_before_number=_set("fig n nr tab pag p pp vol cap art"),
    negations_before=_list(
        """non, senza, assenza di, nessun, nessuno, nessuna, nega, negativo per, negativa per,
        privo di, priva di, esclude, né, mai, libero da"""
    ),
    negations_after=_list(
        """assente, assenti, escluso, esclusa, esclusi, escluse, negativo, negativa, negativi,
        negative, non visibile, non visibili, non evidente, non evidenti"""
    ),
    pseudo_negations=_list(
        """non solo, non si esclude, non si può escludere, non escluso, nessuna variazione,
        nessun aumento, gram negativo, gram negativi, non sempre"""
    ),
    scope_ends=_list("ma, però, tuttavia, sebbene, tranne, eccetto, salvo, bensì, perché, che"),
    conjunctions=_list("e, ed, con"),
    list_ends=_list("o, né"),
    clause_verbs=_list("è, sono, era, erano, ha, hanno, c'è, mostra, mostrano, appare, si"),
    question_verbs=_list("è, sono, c'è, ci, esiste, esistono, ha, hanno, può, possono, vi"),
)

_PORTUGUESE = Language(
    name="portuguese",
    stop_words=_set("qual quais quem onde quando como porque quanto quanta quantos quantas"),
    abbreviations=_set("dr dra sr sra prof ex p.ex etc aprox vs"),
    abbreviations_before_number=_set("fig n no nº tab pág p pp vol cap art"),
    negations_before=_list(
        """não, sem, nega, ausência de, nenhum, nenhuma, negativo para, negativa para, livre de,
        exclui, descarta, nem, nunca, jamais, isento de"""
    ),
    negations_after=_list(
        """ausente, ausentes, excluído, excluída, descartado, descartada, descartados,
        descartadas, negativo, negativa, negativos, negativas, não visível, não observado"""
    ),
    pseudo_negations=_list(
        """não só, não apenas, não se exclui, não se pode excluir, sem alterações, sem alteração,
        gram negativo, gram negativos, nem sempre"""
    ),
    scope_ends=_list("mas, porém, contudo, embora, exceto, salvo, devido a, porque, que"),
    conjunctions=_list("e, com"),
    list_ends=_list("ou, nem"),
    clause_verbs=_list("é, são, está, estão, era, há, tem, têm, mostra, mostram, existe"),
    question_verbs=_list("é, são, está, estão, há, existe, existem, tem, têm, pode, podem"),
)

_DUTCH = Language(
    name="dutch",
    stop_words=_set("welke welk wie waar wanneer hoe waarom hoeveel"),
    abbreviations=_set("dr prof mevr dhr bijv b.v d.w.z o.a ca enz evt m.n resp vs"),
    abbreviations_before_number=_set("nr fig afb tab blz p pp art hfst"),
    negations_before=_list(
        """geen, niet, zonder, afwezigheid van, ontkent, negatief voor, vrij van, nooit, noch,
        uitsluiten van, geen aanwijzing voor, geen aanwijzingen voor, geen tekenen van"""
    ),
    negations_after=_list(
        """afwezig, uitgesloten, niet zichtbaar, niet aantoonbaar, niet aanwezig, niet gezien,
        niet aangetoond, ontbreekt, ontbreken, negatief, onwaarschijnlijk"""
    ),
    pseudo_negations=_list(
        """niet alleen, niet uitgesloten, niet uit te sluiten, geen verandering, geen toename,
        geen afname, gramnegatie*, niet altijd"""
    ),
    scope_ends=_list(
        "maar, echter, hoewel, behalve, ofschoon, doch, vanwege, door, omdat, terwijl"
    ),
    conjunctions=_list("en, met"),
    list_ends=_list("of, noch"),
    clause_verbs=_list("is, zijn, was, waren, heeft, hebben, er, toont, tonen, blijft, het"),
    question_verbs=_list("is, zijn, was, heeft, hebben, kan, kunnen, bestaat, bestaan, wordt"),
)

LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        "en": _ENGLISH,
        "de": _GERMAN,
        "fr": _FRENCH,
        "es": _SPANISH,
        "it": _ITALIAN,
        "pt": _PORTUGUESE,
        "nl": _DUTCH,
    }
)
