"""Parts of the body by the names that reports give them, and which part lies within which.

Chest radiographs are covered as finely as questions about them ask (zones of the lung, angles,
contours of the mediastinum); other parts by organ. Findings that are tied to one place stand among
its names: a pleural effusion is seen at the costophrenic angle.

Source:
    Wu et al., Chest ImaGenome, NeurIPS Datasets 2021, for which places of a radiograph sentences
    are attached to; the names and the order of parts are our own.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

# One part a line: "part < whole, another whole: further names". A name ends with "@left" or
# "@right" where it says the side.
_PARTS = """
lung: lungs, pulmonary, lung field, lung fields, lung volumes, airspace, air space, parenchyma,
  parenchymal, bronchial, bronchus, bronchi, lobe, lobes, interstitial, vascular congestion
upper lung zone < lung: upper lung, upper lobe, upper lobes, upper zone, upper zones, upper lungs,
  rul@right, lul@left
apical zone < upper lung zone: apex, apices, apical, biapical, lung apex, lung apices
mid lung zone < lung: mid lung, midlung, mid lungs, middle lobe@right, rml@right, lingula@left,
  lingular@left, mid zone, mid zones, middle zone, mid lung zones, middle lung zone
lower lung zone < lung: lower lung, lower lobe, lower lobes, lower zone, lower zones, lower lungs,
  lung base, lung bases, base, bases, basal, basilar, bibasilar, bibasal, rll@right, lll@left,
  retrocardiac@left
pleura < lung: pleural, pleural space, pneumothorax, pneumothoraces, hydropneumothorax,
  pleural thickening
costophrenic angle < pleura, lower lung zone: costophrenic angles, costophrenic sulcus,
  costophrenic sulci, cp angle, cp angles, pleural effusion, pleural effusions, effusion, effusions,
  blunting
hemidiaphragm: hemidiaphragms, diaphragm, diaphragmatic, diaphragms
mediastinum: mediastinal, mediastinal contour, mediastinal contours, cardiomediastinal,
  cardiomediastinal silhouette
upper mediastinum < mediastinum: superior mediastinum, paratracheal, thoracic inlet
hilar structures < mediastinum, lung: hilum, hila, hilar, perihilar, parahilar, hilus
cardiac silhouette < mediastinum: heart, cardiac, heart size, cardiomegaly, cardiac size,
  cardiac contour, pericardial, pericardium, cardiomediastinal, cardiomediastinal silhouette,
  ventricle, ventricular
right atrium < cardiac silhouette: right atrial, atrial, atrium
superior vena cava < upper mediastinum: svc
cavoatrial junction < superior vena cava, right atrium: cavo-atrial junction
aorta < mediastinum: aortic, thoracic aorta
aortic arch < aorta, upper mediastinum: aortic knob, arch of the aorta
descending aorta < aorta: descending thoracic aorta
trachea < upper mediastinum: tracheal, endotracheal, endotracheal tube
carina < trachea: carinal
bones: bone, osseous, skeletal, bony
spine < bones: thoracic spine, lumbar spine, cervical spine, vertebra, vertebrae, vertebral,
  vertebral body, vertebral bodies, spinal
rib < bones: ribs, rib cage, costal
clavicle < bones: clavicles, clavicular, collarbone
sternum < bones: sternal
scapula < bones: scapulae, scapular
shoulder < bones: shoulders, humerus, humeral, glenohumeral, acromioclavicular
hip < bones: hips, femur, femoral, femoral head, femoral neck, acetabulum, acetabular
knee < bones: knees, patella, patellar, tibia, tibial, fibula, fibular
wrist < bones: wrists, radius, ulna, carpal, scaphoid
hand < bones: hands, finger, fingers, metacarpal, metacarpals, phalanx, phalanges, thumb
foot < bones: feet, ankle, ankles, calcaneus, calcaneal, metatarsal, metatarsals, toe, toes
pelvis: pelvic, sacrum, sacral, iliac
chest wall: subcutaneous, soft tissues, soft tissue
breast: breasts, mammary
abdomen: abdominal, upper abdomen, subdiaphragmatic, bowel, colon, intestine, intestinal
stomach < abdomen: gastric, stomach bubble, gastric bubble
liver < abdomen: hepatic
gallbladder < abdomen: biliary, bile duct, bile ducts, common bile duct
spleen < abdomen: splenic
pancreas < abdomen: pancreatic
kidney < abdomen: kidneys, renal
bladder < pelvis: urinary bladder
prostate < pelvis: prostatic
uterus < pelvis: uterine
neck: cervical soft tissues
thyroid < neck: thyroidal
brain: intracranial, cerebral, brain parenchyma
frontal lobe < brain: frontal lobes
parietal lobe < brain: parietal lobes
temporal lobe < brain: temporal lobes
occipital lobe < brain: occipital lobes
cerebellum < brain: cerebellar
brainstem < brain: brain stem, pons, midbrain, medulla oblongata
basal ganglia < brain: putamen, caudate, globus pallidus, thalamus, thalami
ventricles of the brain < brain: lateral ventricle, lateral ventricles, third ventricle,
  fourth ventricle, ventricular system
sinuses: paranasal sinuses, maxillary sinus, maxillary sinuses, frontal sinus, sphenoid sinus,
  ethmoid
eye: eyes, ocular, fundus
retina < eye: retinal, retinae
macula < retina: macular, fovea, foveal
optic disc < retina: optic disk, optic nerve head, optic cup
"""


def _read() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[tuple[str, str | None], ...]]]:
    wholes: dict[str, tuple[str, ...]] = {}
    names: dict[str, tuple[tuple[str, str | None], ...]] = {}
    for line in re.sub(r"\n\s+", " ", _PARTS.strip()).split("\n"):
        head, _, tail = line.partition(":")
        part, _, within = (each.strip() for each in head.partition("<"))
        wholes[part] = tuple(each.strip() for each in within.split(",") if each.strip())
        for written in (part, *(each.strip() for each in tail.split(",") if each.strip())):
            name, _, side = written.partition("@")
            name = " ".join(name.replace("-", " ").split())
            names[name] = (*names.get(name, ()), (part, side or None))
    return wholes, names


_wholes, _names = _read()
# Part to the parts that it lies within.
WHOLES: Mapping[str, tuple[str, ...]] = MappingProxyType(_wholes)
# Name, in small letters, to the parts that it is a name of, each with the side that it says.
NAMES: Mapping[str, tuple[tuple[str, str | None], ...]] = MappingProxyType(_names)


def within(part: str, whole: str, wholes: Mapping[str, tuple[str, ...]] = WHOLES) -> bool:
    """Tell whether a part is another, or lies within it."""
    return part == whole or any(within(each, whole, wholes) for each in wholes.get(part, ()))
