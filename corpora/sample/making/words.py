"""The words of the textbook, in the order of its pages.

Written for this project; sober summaries of common knowledge, after the works in `REFERENCES`. A
soft hyphen marks where the typesetter may part a word.
"""

from typing import Any

Block = dict[str, Any]

NOTICE = (
    "This book was written for the sample corpus of medrag, to try a program on. Its pictures are "
    "phantoms drawn by code; they show no patient. It is not a medical textbook and not for "
    "clinical use. Dedicated to the public domain under CC0 1.0."
)
CONTENTS_NOTE = (
    "Figures and tables are numbered within their chapter. All pictures are synthetic phantoms."
)


def chapter(text: str) -> Block:
    return {"kind": "chapter", "text": text}


def section(text: str) -> Block:
    return {"kind": "section", "text": text}


def p(text: str) -> Block:
    return {"kind": "paragraph", "text": _hyphens(text)}


def figure(number: str, caption: str, draw: str | list[str], size: tuple[float, float]) -> Block:
    """Describe a figure; `draw` names a vector drawing, or the bitmaps to set side by side."""
    return {"kind": "figure", "number": number, "caption": caption, "draw": draw, "size": size}


def table(number: str, caption: str, rows: list[list[str]], shares: list[float]) -> Block:
    return {"kind": "table", "number": number, "caption": caption, "rows": rows, "shares": shares}


def columns(*texts: str) -> Block:
    return {"kind": "columns", "texts": [_hyphens(text) for text in texts]}


_PARTED = (
    "pneumo-thorax", "radio-graph", "cardio-thoracic", "cardio-megaly", "haemor-rhages",
    "haemor-rhage", "micro-aneurysms", "retino-pathy", "neo-vascular-isation", "ophthal-moscopy",
    "lympho-cytes", "lympho-cyte", "neutro-phils", "neutro-phil", "eosino-phils", "mono-cytes",
    "thrombo-cyto-penia", "medi-as-tinum", "medi-as-tinal", "dia-phragm", "consoli-dation",
    "papill-oedema", "sphero-cytes", "sphero-cytosis", "hypo-chromic", "micro-cytic",
    "costo-phrenic", "haemo-globin", "haemo-lytic", "inflam-mation", "radio-graphs", "granu-lation",
    "differ-ential", "magni-fication", "detec-tor", "intra-cranial", "anti-coagulant",
)  # fmt: skip


def _hyphens(text: str) -> str:
    for parted in _PARTED:
        whole = parted.replace("-", "")
        for old, new in ((whole, parted), (whole.capitalize(), parted.capitalize())):
            text = text.replace(old, new.replace("-", "\u00ad"))
    return text


TEXT: list[Block] = [
    chapter("1 The chest radiograph"),
    section("1.1 How the picture is made"),
    p(
        "A radiograph is a shadow picture. X-rays leave a small source, pass through the body and "
        "reach a detector. Air stops few of them and appears black; soft tissue and fluid stop "
        "more and appear grey; bone and metal stop most and appear white. Two structures of equal "
        "density that touch each other have no visible border between them. This loss of an "
        "expected border is called the silhouette sign, and it tells where a disease lies."
    ),
    p(
        "The standard view is postero-anterior (PA): the patient stands, breathes in deeply and "
        "holds the breath, while the beam enters from the back. Patients who cannot stand are "
        "imaged antero-posterior (AP), often lying in bed. Figure 1.1 shows why the projection "
        "matters: in an AP view the heart lies farther from the detector, so its shadow is "
        "magnified. Heart size should therefore not be judged on an AP radiograph alone."
    ),
    figure(
        "1.1",
        "Projection and magnification. The nearer the heart lies to the detector, the less its "
        "shadow is enlarged; the red bar behind each detector is the width of the shadow.",
        "beam",
        (356.0, 118.0),
    ),
    section("1.2 The normal frontal view"),
    p(
        "Read every radiograph in the same order, so that nothing is forgotten: name and side "
        "marker, quality of the picture, airway, bones, heart and mediastinum, diaphragm, pleura, "
        "lungs, and the corners that are easily missed, such as the apices and the region behind "
        "the heart. In Figure 1.2 the costophrenic angles are sharp, the lung markings reach "
        "almost to the chest wall, and the right half of the diaphragm stands slightly higher "
        "than the left."
    ),
    figure(
        "1.2",
        "Normal frontal chest radiograph (synthetic phantom). Both costophrenic angles are sharp "
        "and the heart is less than half as wide as the chest.",
        ["normal chest"],
        (190.0, 190.0),
    ),
    section("1.3 Heart size"),
    p(
        "The cardiothoracic ratio is the largest width of the heart divided by the largest inner "
        "width of the thorax, both measured on a PA radiograph in full inspiration (Danzer, "
        "1919). The two widths are drawn in Figure 1.3. In adults a ratio above 0.5 is called "
        "cardiomegaly. A shallow breath, an AP projection or a large pad of fat beside the heart "
        "may raise the ratio although the heart is normal."
    ),
    figure(
        "1.3",
        "The cardiothoracic ratio. A is the largest width of the heart, B the largest inner width "
        "of the thorax.",
        "cardiothoracic",
        (180.0, 140.0),
    ),
    p(
        "An enlarged heart together with wide vessels in the upper zones, a haze about the hila, "
        "thin horizontal septal lines at the lung bases and fluid in both pleural spaces suggests "
        "heart failure. Figure 1.4 compares an enlarged heart with and without these signs of "
        "congestion."
    ),
    figure(
        "1.4",
        "Cardiomegaly (synthetic phantoms). (a) Enlarged heart with clear lungs. (b) Enlarged "
        "heart with congestion and small effusions on both sides, as in heart failure.",
        ["cardiomegaly", "heart failure"],
        (346.0, 169.0),
    ),
    section("1.4 Pleural effusion"),
    p(
        "A pleural effusion is a collection of fluid between the two layers of the pleura. In an "
        "upright patient the fluid sinks to the base of the chest and rises along the chest wall, "
        "so that its upper border is a curve, concave upwards and higher at the side. This curve "
        "is called the meniscus sign. The earliest sign on a frontal view is blunting of the "
        "lateral costophrenic angle, which takes about 200 to 300 millilitres of fluid; a lateral "
        "view may show as little as 50 millilitres behind the lung."
    ),
    p(
        "A large effusion makes the lower half of the chest white and pushes the mediastinum to "
        "the other side. If the mediastinum is not pushed away, or is drawn towards the white "
        "side, collapse of the lung should be suspected. In a patient who lies on the back the "
        "fluid spreads behind the lung as a veil, and the vessels remain visible through it. A "
        "left-sided effusion is shown in Figure 1.5."
    ),
    figure(
        "1.5",
        "Left pleural effusion (synthetic phantom). Fluid hides the left half of the diaphragm and "
        "rises along the chest wall with a meniscus.",
        ["effusion"],
        (190.0, 190.0),
    ),
    section("1.5 Pneumothorax"),
    p(
        "A pneumothorax is air in the pleural space. On an upright radiograph the air rises to "
        "the apex. The sign to look for is the visceral pleural line: a thin white line parallel "
        "to the chest wall, beyond which no lung markings are seen (Figure 1.6). A skin fold may "
        "look alike, but markings continue beyond it. On a supine radiograph the air gathers in "
        "front and below, and an unusually deep and dark costophrenic angle, the deep sulcus "
        "sign, may be the only hint (Noppen and De Keukeleire, 2008)."
    ),
    p(
        "In a tension pneumothorax air enters with every breath and cannot leave. The mediastinum "
        "is shifted to the other side and the diaphragm on the side of the air is pressed down. "
        "Tension is an emergency that is recognised at the bedside; treatment must not wait for a "
        "picture."
    ),
    figure(
        "1.6",
        "Right pneumothorax (synthetic phantom). The visceral pleural line runs parallel to the "
        "chest wall; no lung markings are visible beyond it.",
        ["pneumothorax"],
        (190.0, 190.0),
    ),
    p(
        "Table 1.1 sets the signs of this chapter side by side. Consolidation, in which the air "
        "spaces of the lung are filled by pus, blood or water, is listed for comparison: the "
        "borders of the air-filled bronchi remain visible in it as an air bronchogram."
    ),
    table(
        "1.1",
        "Signs on the frontal chest radiograph and what may imitate them.",
        [
            ["Condition", "Main sign", "May be imitated by"],
            [
                "Pleural effusion",
                "Blunted costophrenic angle, meniscus",
                "Pleural thickening, raised diaphragm",
            ],
            [
                "Pneumothorax",
                "Visceral pleural line, no markings beyond it",
                "Skin fold, edge of the scapula, bulla",
            ],
            ["Cardiomegaly", "Cardiothoracic ratio above 0.5", "AP projection, shallow breath"],
            ["Consolidation", "Opacity with air bronchogram", "Collapse, effusion"],
        ],
        [0.9, 1.5, 1.4],
    ),
    chapter("2 The fundus of the eye"),
    section("2.1 The normal fundus"),
    p(
        "Ophthalmoscopy and fundus photography show the only vessels and the only part of the "
        "central nervous system that can be seen directly without surgery. Four things are looked "
        "at in turn: the optic disc, the vessels, the macula and the periphery. The optic disc is "
        "the place where the nerve fibres leave the eye; it lies on the nasal side of the macula, "
        "is about 1.5 millimetres wide and has a sharp margin. Its pale centre is the cup, the "
        "ring around the cup is the neuroretinal rim."
    ),
    p(
        "Arteries are thinner and brighter than veins, at a ratio of about two to three. The "
        "macula lies temporal to the disc, between the upper and lower arcades, and appears "
        "darker; in its middle is the fovea, which holds no vessels. In Figure 2.1 the disc lies "
        "to the right of the macula, so the picture shows a right eye."
    ),
    figure(
        "2.1",
        "Normal fundus of a right eye (synthetic phantom). The optic disc has a sharp margin and a "
        "small cup; the darker macula lies temporal to it.",
        ["normal fundus"],
        (186.0, 186.0),
    ),
    section("2.2 The optic disc"),
    p(
        "The cup-to-disc ratio compares the height of the cup with the height of the disc. Three "
        "ratios are drawn in Figure 2.2. A ratio of about 0.3 is common; large discs have large "
        "cups, so that a large cup alone proves nothing (Jonas et al., 1999). A ratio above 0.6, a "
        "difference of more than 0.2 between the two eyes, thinning or a notch of the rim and a "
        "haemorrhage at the margin of the disc raise the suspicion of glaucoma."
    ),
    figure(
        "2.2",
        "Cup-to-disc ratio. The pale cup grows at the cost of the orange neuroretinal rim.",
        "cups",
        (340.0, 112.0),
    ),
    p(
        "Papilloedema is swelling of the optic disc that is caused by raised intracranial "
        "pressure. It is nearly always bilateral. The margin of the disc is blurred, the veins "
        "are wide, the cup disappears late, and flame haemorrhages may lie beside the disc. "
        "Vision is often normal at first, which distinguishes papilloedema from inflammation of "
        "the optic nerve. The two discs of Figure 2.3 can be compared."
    ),
    figure(
        "2.3",
        "Two abnormal optic discs (synthetic phantoms). (a) Large cup, as in glaucoma. (b) Swollen "
        "disc with blurred margin, as in papilloedema.",
        ["glaucoma", "papilloedema"],
        (346.0, 169.0),
    ),
    section("2.3 Diabetic retinopathy"),
    p(
        "High blood glucose damages the capillaries of the retina. Microaneurysms, seen as tiny "
        "red dots, are the first visible sign. When capillaries break, dot and blot haemorrhages "
        "appear in the deeper layers, and flame haemorrhages in the layer of the nerve fibres. "
        "Leaking vessels leave behind lipid, which forms hard exudates: yellow, shining spots "
        "with sharp borders, often arranged in a ring around the leak. Cotton wool spots are "
        "white and have soft borders; they are not exudates but small infarcts of the nerve fibre "
        "layer. All of these are seen in Figure 2.4."
    ),
    figure(
        "2.4",
        "Diabetic retinopathy (synthetic phantom). Red dots and blots are microaneurysms and "
        "haemorrhages, yellow spots are hard exudates, and the two white patches are cotton wool "
        "spots.",
        ["diabetic retinopathy"],
        (186.0, 186.0),
    ),
    p(
        "Where much of the retina is starved of blood, new vessels grow. Neovascularisation at "
        "the disc or elsewhere defines proliferative diabetic retinopathy; the new vessels are "
        "fragile, bleed into the vitreous and may pull the retina off. Table 2.1 gives the stages "
        "of the international scale (Wilkinson et al., 2003). Macular oedema can occur at any "
        "stage and is the most frequent cause of loss of vision in diabetes."
    ),
    table(
        "2.1",
        "Stages of diabetic retinopathy on the international scale.",
        [
            ["Stage", "Findings"],
            ["No apparent retinopathy", "No abnormalities"],
            ["Mild nonproliferative", "Microaneurysms only"],
            ["Moderate nonproliferative", "More than microaneurysms, but less than severe"],
            [
                "Severe nonproliferative",
                "More than 20 haemorrhages in each quadrant, or venous beading in two quadrants, "
                "or prominent intraretinal microvascular abnormalities in one quadrant",
            ],
            ["Proliferative", "Neovascularisation, or vitreous or preretinal haemorrhage"],
        ],
        [1.0, 2.2],
    ),
    chapter("3 The blood smear"),
    section("3.1 Making and reading a smear"),
    columns(
        "A drop of blood is spread thinly on a glass slide, dried and stained, most often by a "
        "Romanowsky stain such as May-Grünwald-Giemsa or Wright. The acid dye eosin colours "
        "haemoglobin and the granules of eosinophils orange to pink; the basic dyes colour nuclei "
        "purple and the plasm of lymphocytes blue. The best place to look at is the zone where red "
        "cells lie side by side and just touch each other.",
        "First the whole slide is looked at with a low magnification, to find clumps of platelets "
        "and rare large cells. Then the three cell lines are judged one after the other at a high "
        "magnification: red cells by size, colour and shape, white cells by number and kind, and "
        "platelets by number and size (Bain, 2005). A machine counts better than a person, but a "
        "person sees what a machine cannot name. Figure 3.1 shows a normal field.",
        "A smear is asked for when a count is abnormal without explanation, when haemolytic "
        "disease, leukaemia or malaria is suspected, and when a low count of platelets could be a "
        "mistake of the machine. The report should say what was seen and what it may mean, and "
        "should use the agreed names of shapes (Palmer et al., 2015).",
    ),
    figure(
        "3.1",
        "Normal blood smear with a neutrophil (synthetic phantom). Red cells have a pale centre of "
        "about a third of their width; small purple bodies are platelets.",
        ["normal smear"],
        (240.0, 180.0),
    ),
    section("3.2 Red cells"),
    p(
        "A normal red cell is a disc of 7 to 8 micrometres, about as wide as the nucleus of a "
        "small lymphocyte, with a pale centre of about a third of its width. Cells that are "
        "smaller are called microcytic, and cells with a wide pale centre hypochromic. Both "
        "together are typical of iron deficiency and of thalassaemia; thin elongated pencil cells "
        "favour iron deficiency."
    ),
    p(
        "Spherocytes are small, dense and lack the pale centre. They are found in hereditary "
        "spherocytosis and in autoimmune haemolytic anaemia. Sickle cells are thin, curved and "
        "pointed at both ends; they appear in sickle cell disease when oxygen is low. Figure 3.2 "
        "shows the three shapes."
    ),
    figure(
        "3.2",
        "Abnormal red cells (synthetic phantoms). (a) Small hypochromic cells, as in iron "
        "deficiency. (b) Sickle cells. (c) Spherocytes without a pale centre.",
        ["iron deficiency", "sickle cells", "spherocytes"],
        (376.0, 90.0),
    ),
    section("3.3 White cells and platelets"),
    p(
        "Five kinds of white cells are told apart in normal blood; they are drawn in Figure 3.3, "
        "and Table 3.1 lists their shares in adults. A neutrophil has a nucleus of three to five "
        "lobes joined by thin threads. An eosinophil has two lobes and large orange granules; "
        "eosinophils are increased in allergic disease and in infection by worms. A lymphocyte "
        "has a round, dense nucleus and a narrow rim of blue plasm. Many small lymphocytes "
        "together with smudge cells, which are crushed nuclei without a cell body, suggest "
        "chronic lymphocytic leukaemia."
    ),
    figure(
        "3.3",
        "The white cells of normal blood, with a red cell for comparison.",
        "white_cells",
        (376.0, 92.0),
    ),
    table(
        "3.1",
        "White cells of adult blood.",
        [
            ["Cell", "Share of white cells", "Nucleus", "Granules"],
            ["Neutrophil", "40 to 75%", "Three to five lobes", "Fine, lilac"],
            ["Lymphocyte", "20 to 45%", "Round, dense", "None or few"],
            ["Monocyte", "2 to 10%", "Kidney-shaped", "Dust-like"],
            ["Eosinophil", "1 to 6%", "Two lobes", "Large, orange"],
            ["Basophil", "Below 2%", "Hidden by granules", "Large, dark violet"],
        ],
        [0.9, 1.1, 1.2, 1.0],
    ),
    p(
        "Platelets are small purple bodies without a nucleus. The usual count is 150 to 400 times "
        "10 to the ninth power per litre. A lower count is called thrombocytopenia. Before it is "
        "believed, the smear must be searched for clumps: in some people the anticoagulant EDTA "
        "makes platelets clump in the tube, and the machine counts too few. This artefact is "
        "called pseudothrombocytopenia and is cleared up by a second sample in citrate. In Figure "
        "3.4 platelets are truly rare."
    ),
    figure(
        "3.4",
        "Thrombocytopenia (synthetic phantom). A single platelet is seen in a field that would "
        "normally hold about ten; there are no clumps.",
        ["thrombocytopenia"],
        (216.0, 162.0),
    ),
]

REFERENCES = (
    "Bain BJ. Diagnosis from the blood smear. New England Journal of Medicine 2005; 353: 498-507.",
    "Danzer CS. The cardiothoracic ratio: an index of cardiac enlargement. American Journal of the "
    "Medical Sciences 1919; 157: 513-521.",
    "Hansell DM, Bankier AA, MacMahon H, McLoud TC, Muller NL, Remy J. Fleischner Society: "
    "glossary of terms for thoracic imaging. Radiology 2008; 246: 697-722.",
    "Jonas JB, Budde WM, Panda-Jonas S. Ophthalmoscopic evaluation of the optic nerve head. Survey "
    "of Ophthalmology 1999; 43: 293-320.",
    "Noppen M, De Keukeleire T. Pneumothorax. Respiration 2008; 76: 121-127.",
    "Palmer L, Briggs C, McFadden S, et al. ICSH recommendations for the standardization of "
    "nomenclature and grading of peripheral blood cell morphological features. International "
    "Journal of Laboratory Hematology 2015; 37: 287-303.",
    "Wilkinson CP, Ferris FL, Klein RE, et al. Proposed international clinical diabetic "
    "retinopathy and diabetic macular edema disease severity scales. Ophthalmology 2003; 110: "
    "1677-1682.",
)

INDEX = (
    "air bronchogram", "cardiomegaly", "cardiothoracic ratio", "consolidation",
    "costophrenic angle",
    "cotton wool spots", "cup-to-disc ratio", "deep sulcus sign", "diabetic retinopathy",
    "eosinophil", "fovea", "glaucoma", "hard exudates", "heart failure", "hypochromic",
    "iron deficiency", "lymphocyte", "macula", "mediastinum", "meniscus sign", "microaneurysms",
    "monocyte", "neovascularisation", "neutrophil", "optic disc", "papilloedema", "platelets",
    "pleural effusion", "pneumothorax", "pseudothrombocytopenia", "sickle cell", "silhouette sign",
    "skin fold", "smudge cells", "spherocytes", "tension pneumothorax", "thrombocytopenia",
    "visceral pleural line",
)  # fmt: skip
