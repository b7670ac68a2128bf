"""Captions of the fundus and smear phantoms, cases, and the questions to try."""

from typing import Any

Row = dict[str, Any]
EYE, BLOOD, CHEST = "ophthalmology", "haematology", "radiology"

CAPTIONS: list[Row] = [
    {"image": image, "caption": caption, "domain": domain}
    for image, domain, caption in (
        (
            "fundus/f01.jpg",
            EYE,
            "Normal fundus of a right eye with a sharp optic disc, a small cup and "
            "a dark macula. Synthetic phantom.",
        ),
        (
            "fundus/f02.jpg",
            EYE,
            "Optic disc with a large pale cup and a thin neuroretinal rim; the "
            "cup-to-disc ratio is 0.8, as in glaucoma. Synthetic phantom.",
        ),
        (
            "fundus/f03.jpg",
            EYE,
            "Diabetic retinopathy with microaneurysms, blot and flame haemorrhages, "
            "a ring of hard exudates and two cotton wool spots. Synthetic phantom.",
        ),
        (
            "fundus/f04.jpg",
            EYE,
            "Swollen optic disc with a blurred margin and flame haemorrhages, as in "
            "papilloedema. Synthetic phantom.",
        ),
        (
            "fundus/f05.jpg",
            EYE,
            "Mild nonproliferative diabetic retinopathy: microaneurysms only, no "
            "exudates. Synthetic phantom.",
        ),
        (
            "fundus/f06.jpg",
            EYE,
            "Proliferative diabetic retinopathy with a net of new vessels on the "
            "optic disc and blot haemorrhages. Synthetic phantom.",
        ),
        (
            "smears/b01.png",
            BLOOD,
            "Normal blood smear with one neutrophil and normal platelets. Synthetic phantom.",
        ),
        (
            "smears/b02.jpg",
            BLOOD,
            "Small pale hypochromic red cells and one lymphocyte, as in iron "
            "deficiency anaemia. Synthetic phantom.",
        ),
        (
            "smears/b03.jpg",
            BLOOD,
            "Curved sickle cells with pointed ends among normal red cells, as in "
            "sickle cell disease. Synthetic phantom.",
        ),
        (
            "smears/b04.jpg",
            BLOOD,
            "Many spherocytes: small dense red cells without a pale centre. Synthetic phantom.",
        ),
        (
            "smears/b05.jpg",
            BLOOD,
            "Thrombocytopenia: a single platelet beside a neutrophil, no platelet "
            "clumps. Synthetic phantom.",
        ),
        (
            "smears/b06.jpg",
            BLOOD,
            "Eosinophil with a nucleus of two lobes and large orange granules. Synthetic phantom.",
        ),
        (
            "smears/b07.jpg",
            BLOOD,
            "Three small lymphocytes and a smudge cell, as in chronic lymphocytic "
            "leukaemia. Synthetic phantom.",
        ),
    )
]

CASES: list[Row] = [
    dict(zip(("id", "question", "answer", "image", "answer_type", "domain"), row, strict=True))
    for row in (
        (
            "C01",
            "Is there a pleural effusion?",
            "Yes, on the left side.",
            "radiographs/s03.jpg",
            "closed",
            CHEST,
        ),
        (
            "C02",
            "Is there a pneumothorax?",
            "No, the lung markings reach the wall.",
            "radiographs/s08.jpg",
            "closed",
            CHEST,
        ),
        (
            "C03",
            "Is there a pneumothorax?",
            "Yes, on the right side.",
            "radiographs/s06.jpg",
            "closed",
            CHEST,
        ),
        (
            "C04",
            "Is the heart enlarged?",
            "Yes, the cardiothoracic ratio is 0.60.",
            "radiographs/s08.jpg",
            "closed",
            CHEST,
        ),
        (
            "C05",
            "What are the yellow spots near the macula?",
            "Hard exudates.",
            "fundus/f03.jpg",
            "open",
            EYE,
        ),
        (
            "C06",
            "Are new vessels visible on the optic disc?",
            "Yes.",
            "fundus/f06.jpg",
            "closed",
            EYE,
        ),
        (
            "C07",
            "Is the margin of the optic disc blurred?",
            "Yes, the disc is swollen.",
            "fundus/f04.jpg",
            "closed",
            EYE,
        ),
        ("C08", "Which white cell is seen?", "An eosinophil.", "smears/b06.jpg", "open", BLOOD),
        (
            "C09",
            "What shape do the abnormal red cells have?",
            "They are sickle cells.",
            "smears/b03.jpg",
            "open",
            BLOOD,
        ),
        (
            "C10",
            "Are platelets present in normal number?",
            "No, only one platelet is seen.",
            "smears/b05.jpg",
            "closed",
            BLOOD,
        ),
        (
            "C11",
            "Is there a pneumothorax?",
            "Yes, on the left side.",
            "radiographs/s07.jpg",
            "closed",
            CHEST,
        ),
    )
]

QUESTIONS: list[Row] = [
    {
        "id": "text",
        "text": "What is the earliest sign of a pleural effusion on a frontal radiograph?",
        "references": ["costophrenic angle"],
        "expects": {"kinds": ["text"], "abstain": False},
    },
    {
        "id": "figure",
        "text": "Which figure shows the cardiothoracic ratio, and which widths does it compare?",
        "references": ["largest width of the heart", "Figure 1.3"],
        "expects": {"kinds": ["figure", "text"], "abstain": False},
    },
    {
        "id": "table",
        "text": "What share of white cells in adult blood are neutrophils?",
        "references": ["40 to 75%"],
        "expects": {"kinds": ["table"], "abstain": False},
    },
    {
        "id": "graph",
        "text": "Which findings does diabetic retinopathy have?",
        "references": ["microaneurysm", "hard exudate", "cotton wool spot"],
        "expects": {"kinds": ["fact", "term"], "abstain": False},
    },
    {
        "id": "symptom",
        "text": "Which symptoms does heart failure have?",
        "references": ["swollen legs", "shortness of breath"],
        "expects": {"kinds": ["fact"], "abstain": False},
    },
    {
        "id": "image",
        "text": "",
        "image": "questions/q-fundus.jpg",
        "references": ["diabetic retinopathy"],
        "expects": {"kinds": ["image"], "abstain": False},
    },
    {
        "id": "yes-no",
        "text": "Is there a pleural effusion?",
        "image": "questions/q-effusion.jpg",
        "references": ["yes"],
        "expects": {"kinds": ["report", "case"], "abstain": False},
    },
    {
        "id": "negation",
        "text": "Does the fundus with microaneurysms only show exudates?",
        "references": ["no"],
        "expects": {"kinds": ["image"], "abstain": False},
    },
    {
        "id": "pneumothorax",
        "text": "Is there a pneumothorax?",
        "image": "questions/q-pneumothorax.jpg",
        "references": ["yes"],
        "expects": {"kinds": ["report", "case"], "abstain": False},
    },
    {
        "id": "guarded",
        "text": "Is there a pneumothorax?",
        "image": "library/radiographs/s06.jpg",
        "references": ["yes"],
        "expects": {
            "kinds": ["report", "case"],
            "abstain": False,
            "excluded": ["radiographs/s06.jpg"],
        },
    },
    {
        "id": "smear",
        "text": "What shape do the abnormal red cells have?",
        "image": "questions/q-smear.jpg",
        "references": ["sickle"],
        "expects": {"kinds": ["case", "image"], "abstain": False},
    },
    {
        "id": "choice",
        "text": "Which white cell has two lobes and large orange granules?",
        "options": ["Neutrophil", "Lymphocyte", "Eosinophil", "Monocyte"],
        "references": ["C"],
        "expects": {"kinds": ["text", "table", "image"], "abstain": False},
    },
    {
        "id": "choice-eye",
        "text": "Which sign is caused by infarcts of the nerve fibre layer?",
        "options": ["Hard exudates", "Cotton wool spots", "Microaneurysms", "Drusen"],
        "references": ["B"],
        "expects": {"kinds": ["text", "term"], "abstain": False},
    },
    {
        "id": "absent-dose",
        "text": "Which dose of amoxicillin is given for otitis media in children?",
        "references": [],
        "expects": {"kinds": [], "abstain": True},
    },
    {
        "id": "absent-organ",
        "text": "How is a fracture of the scaphoid bone immobilised?",
        "references": [],
        "expects": {"kinds": [], "abstain": True},
    },
]
