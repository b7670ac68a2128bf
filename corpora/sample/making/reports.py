"""The reports of the phantom radiographs."""

COLUMNS = (
    "report_id", "subject_id", "study_id", "study_date", "view", "image",
    "indication", "comparison", "findings", "impression",
)  # fmt: skip

REPORTS = (
    (
        "R01", "SYN-0001", "ST-0001", "2026-01-05", "PA", "radiographs/s01.jpg",
        "Check-up before surgery. No complaints.",
        "None.",
        "The heart is of normal size, with a cardiothoracic ratio of 0.45. The mediastinum is in "
        "the midline. Both lungs are clear. No pleural effusion and no pneumothorax. The bones "
        "are intact.",
        "Normal chest radiograph.",
    ),
    (
        "R02", "SYN-0002", "ST-0002", "2026-01-09", "PA", "radiographs/s02.jpg",
        "Cough for two weeks.",
        "None.",
        "The heart and the mediastinum are normal. The lungs are clear without consolidation. The "
        "costophrenic angles are sharp. There is no pleural effusion.",
        "No acute cardiopulmonary disease. No evidence of pneumonia.",
    ),
    (
        "R03", "SYN-0003", "ST-0003", "2026-01-14", "PA", "radiographs/s03.jpg",
        "Shortness of breath and dullness at the left base.",
        "None.",
        "There is a moderate left pleural effusion with a meniscus along the lateral chest wall. "
        "The left half of the diaphragm is obscured. The right lung is clear. No pneumothorax. "
        "The heart size is at the upper limit of normal.",
        "Moderate left pleural effusion.",
    ),
    (
        "R04", "SYN-0003", "ST-0004", "2026-01-28", "PA", "radiographs/s04.jpg",
        "Follow-up after drainage of a left pleural effusion.",
        "Radiograph of 14 January 2026.",
        "The left pleural effusion has become smaller; only blunting of the left costophrenic "
        "angle remains. There is no pneumothorax after the drainage. The right lung is clear.",
        "Small residual left pleural effusion. No pneumothorax.",
    ),
    (
        "R05", "SYN-0004", "ST-0005", "2026-02-02", "PA", "radiographs/s05.jpg",
        "Pain on the right side when breathing in.",
        "None.",
        "Small to moderate right pleural effusion with blunting of the right costophrenic angle. "
        "No consolidation is seen. The left lung is clear. The heart is not enlarged.",
        "Right pleural effusion of unknown cause.",
    ),
    (
        "R06", "SYN-0005", "ST-0006", "2026-02-06", "PA", "radiographs/s06.jpg",
        "Sudden right-sided chest pain in a tall young person.",
        "None.",
        "There is a right pneumothorax: a visceral pleural line is seen along the right chest "
        "wall, and no lung markings are visible beyond it. The mediastinum is not shifted. The "
        "left lung is expanded. No pleural effusion.",
        "Right pneumothorax without signs of tension.",
    ),
    (
        "R07", "SYN-0006", "ST-0007", "2026-02-11", "PA", "radiographs/s07.jpg",
        "Chest pain after a fall.",
        "None.",
        "A left pneumothorax is present with a visible visceral pleural line. No displaced rib "
        "fracture is seen. The mediastinum remains in the midline. The right lung is clear.",
        "Left pneumothorax after injury, no tension.",
    ),
    (
        "R08", "SYN-0007", "ST-0008", "2026-02-17", "PA", "radiographs/s08.jpg",
        "Raised blood pressure for many years.",
        "None.",
        "The heart is enlarged with a cardiothoracic ratio of 0.60. The lungs are clear, and the "
        "vessels of the upper zones are not distended. No pleural effusion.",
        "Cardiomegaly without signs of congestion.",
    ),
    (
        "R09", "SYN-0008", "ST-0009", "2026-02-23", "PA", "radiographs/s09.jpg",
        "Swollen legs and breathlessness when lying flat.",
        "None.",
        "The heart is enlarged with a cardiothoracic ratio of 0.58. There is haze about both hila "
        "and the vessels of the upper zones are distended. Small pleural effusions are present on "
        "both sides. No pneumothorax.",
        "Cardiomegaly with pulmonary congestion and bilateral pleural effusions, consistent with "
        "heart failure.",
    ),
    (
        "R10", "SYN-0009", "ST-0010", "2026-03-03", "PA", "radiographs/s10.jpg",
        "Fever and cough with sputum.",
        "None.",
        "There is a consolidation in the right lower zone. The right costophrenic angle is sharp; "
        "no pleural effusion. The left lung is clear. The heart is of normal size.",
        "Consolidation of the right lower zone, consistent with pneumonia.",
    ),
)  # fmt: skip
