"""How people ask for symptoms, kinds, sites and synonyms, with and without the relation's name.

`TUNING` was read while the rules of `medrag.indexing.graph.asking` were written. `HELD_OUT` was
written when they were done, and no word of it was added to them. Its first measure (0.92 in the
top 7) showed that a question at length about a disease got no ranking, which was changed for all.
{x} is what is asked about, {y} the other end of the fact.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Wordings(NamedTuple):
    """Templates that name the relation ("symptoms"), and templates that do not."""

    named: tuple[str, ...]
    unnamed: tuple[str, ...]


TUNING: Mapping[str, Wordings] = {
    "symptom": Wordings(
        named=(
            "What are the symptoms of {x}?",
            "List the signs and symptoms of {x}.",
            "Which symptoms does {x} have?",
            "symptoms {x}",
            "Is {y} a symptom of {x}?",
            "Can {y} be a sign of {x}?",
            "What symptom is typical of {x}?",
            "Tell me about the clinical signs seen in {x}.",
            "Name a symptom that a patient with {x} may have.",
            "What symptoms should I expect with {x}?",
            "Could you tell me which symptoms go with {x}?",
            "My doctor suspects {x}. What symptoms would fit?",
            "In {x}, what are the most frequent symptoms?",
            "{x} - presenting symptoms?",
            "Would you call {y} a symptom of {x}?",
            "I need the symptomatology of {x} for an exam.",
            "What signs point to {x}?",
            "Symptom list for {x} please",
        ),
        unnamed=(
            "How would I notice {x}?",
            "How does {x} present?",
            "What does a patient with {x} complain of?",
            "How do I know whether I have {x}?",
            "What does {x} feel like?",
            "Does {x} come with {y}?",
            "What might tip me off that someone has {x}?",
            "What do people with {x} suffer from?",
            "What happens to you when you get {x}?",
            "Would {y} make you think of {x}?",
            "How does {x} show itself?",
            "What does someone who has {x} go through?",
            "Could {x} be behind {y}?",
        ),
    ),
    "kind": Wordings(
        named=(
            "What kind of disease is {x}?",
            "{x} is a kind of what?",
            "Is {x} a type of {y}?",
            "Is {x} a kind of {y}?",
            "What type of disorder is {x}?",
            "Which class of diseases does {x} fall into?",
            "To which category does {x} belong?",
            "{x}: subclass of which disease?",
            "What is the broader term for {x}?",
            "{x} is classified as a form of which condition?",
            "What sort of illness is {x}, a kind of what?",
            "Would you say {x} is a subtype of {y}?",
            "Tell me the parent class of {x}.",
            "Of what disease is {x} a variety?",
            "How is {x} classified?",
            "{x} is one type of which larger family?",
            "Could you name the category that covers {x}?",
            "I read that {x} is a kind of {y}. Correct?",
        ),
        unnamed=(
            "Is {x} a {y}?",
            "Does {x} count as {y}?",
            "Where does {x} belong among the diseases?",
            "What group of illnesses is {x} part of?",
            "Under which heading would a textbook put {x}?",
            "What is {x}, broadly speaking?",
            "Can {x} be regarded as {y}?",
            "Should {x} be filed under {y}?",
            "What family of diseases includes {x}?",
            "Is every {x} also a {y}?",
            "What is the more general condition behind {x}?",
            "What would be an umbrella term for {x}?",
            "Is {x} among the {y}s?",
        ),
    ),
    "site": Wordings(
        named=(
            "What is the anatomical site of {x}?",
            "Where is {x} located?",
            "Name the location of {x}.",
            "In which anatomical location is {x} found?",
            "site of {x}",
            "What is the primary site of {x}?",
            "Is {x} located in the {y}?",
            "Which body site does {x} involve?",
            "At what anatomic site does {x} occur?",
            "Give the anatomical location for {x}.",
            "Could you tell me the anatomical site where {x} sits?",
            "At which location does one see {x}?",
            "{x} - anatomical site?",
            "Which site in the body is typical for {x}?",
            "I need the anatomic location of {x}.",
            "Is the {y} the site of {x}?",
            "Where are most cases of {x} located?",
        ),
        unnamed=(
            "Where does {x} grow?",
            "Which organ does {x} affect?",
            "Where in the body would you find {x}?",
            "What part of the body does {x} arise in?",
            "Does {x} start in the {y}?",
            "Where would a surgeon look for {x}?",
            "What tissue does {x} come from?",
            "In which organ would I have {x}?",
            "Where do I have to scan to see {x}?",
            "Where on the body does {x} develop?",
            "Is the {y} where {x} begins?",
            "From which structure does {x} originate?",
            "Does {x} involve the {y}?",
        ),
    ),
    "synonym": Wordings(
        named=(
            "What is a synonym of {x}?",
            "What are the synonyms for {x}?",
            "Is {y} a synonym of {x}?",
            "List synonyms: {x}",
            "Which synonym of {x} is in use?",
            "Give me a synonymous term for {x}.",
            "Could you give a synonym for {x}?",
            "I am looking for synonyms of {x}.",
            "{x} - synonym?",
            "Are {x} and {y} synonyms?",
            "Is there any synonym for the term {x}?",
        ),
        unnamed=(
            "What is another name for {x}?",
            "What else is {x} called?",
            "Is {y} the same as {x}?",
            "{x} is also known as what?",
            "What other words do doctors use for {x}?",
            "Do {x} and {y} mean the same thing?",
            "What does {y} mean?",
            "By what other names does {x} go?",
            "Is {y} just a different word for {x}?",
            "How else could I write {x} in a report?",
            "What do older books call {x}?",
            "Are {y} and {x} one and the same?",
            "What is meant by {y}?",
            "Has {x} got an alternative name?",
        ),
    ),
}

HELD_OUT: Mapping[str, Wordings] = {
    "symptom": Wordings(
        named=(
            "Doc, my son was diagnosed with {x}; which symptoms do I watch out for?",
            "{x} symptoms and how bad they get",
            "Enumerate the cardinal symptoms attributed to {x}.",
            "For {x}, is {y} listed among the symptoms?",
            "Early symptoms of {x}?",
            "Do patients with {x} show any particular signs?",
            "Textbook signs/symptoms: {x}",
        ),
        unnamed=(
            "What would make a physician suspect {x}?",
            "How sick does {x} make you, and in what way?",
            "My neighbour has {x}. What is it doing to her?",
            "Is it {x} that gives people {y}?",
            "What troubles a person with {x}?",
            "Clinical picture of {x}",
            "If I had {x}, would I have {y}?",
        ),
    ),
    "kind": Wordings(
        named=(
            "What kind of condition are we talking about with {x}?",
            "Is it correct that {x} is a kind of {y}?",
            "Type of disease: {x}",
            "{x} belongs to which type of disorder?",
            "Please classify {x}: it is a type of ...?",
            "Which superclass does {x} have?",
            "Is {x} a subclass of {y}?",
        ),
        unnamed=(
            "So {x} is just a {y}, right?",
            "Do textbooks treat {x} as a {y}?",
            "What chapter on diseases would discuss {x}?",
            "{x} is a ...",
            "If someone has {x}, do they automatically have a {y}?",
            "One level up from {x}, what do you get?",
            "Does the term {y} cover {x}?",
        ),
    ),
    "site": Wordings(
        named=(
            "Anatomical site for {x}?",
            "Could you give me the location of a {x}?",
            "On histology we found {x}. Which anatomical site is that from?",
            "Is {y} the usual site of {x}?",
            "What site is involved in {x}?",
            "Where is the typical location for {x}?",
        ),
        unnamed=(
            "Where would {x} be on a body map?",
            "Which part of me has gone wrong if I have {x}?",
            "Whereabouts does one get {x}?",
            "Would you biopsy the {y} for {x}?",
            "In what does {x} form?",
            "A pathologist diagnoses {x}: which organ was on the table?",
            "Is {x} something of the {y}?",
        ),
    ),
    "synonym": Wordings(
        named=(
            "Any synonyms known for {x}?",
            "Is {y} listed as a synonym for {x}?",
            "Synonyms of {x} in the ontology?",
            "What synonym could I use instead of {x}?",
            "{x}: give one synonym",
        ),
        unnamed=(
            "Which other label is used for {x}?",
            "My chart says {y}. Is that {x}?",
            "Under what alternative names can I look up {x}?",
            "{x}, also called ...?",
            "Does anybody still say {y} for {x}?",
            "Translate {y} into the usual term.",
            "What do you call {x} in other words?",
        ),
    ),
}
