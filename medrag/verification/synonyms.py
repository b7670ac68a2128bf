"""English words of medicine that say the same, the opposite, or nothing by themselves.

Written for this project from general knowledge of the field; none of it is taken from a
terminology. A group holds what may stand for one another in a report or a textbook without a change
of what is said of a patient: a noun and its adjective, a Greek and an English name. Near synonyms
that a physician would tell apart (nodule, mass, lesion) stand in groups of their own, or in none.
Groups are parted by "/"; a phrase and what it means, or a word and what it is made of, by ":".
"""

# Of each group, all say the same.
SYNONYMS = """
symptom symptomatic / full fully / recover recovery / tall height / curve curvature / loose
loosening loosen / rigid rigidity / mobile mobility / duct ductal ductus / tendon tendinous /
ligament ligamentous / cartilage cartilaginous / gland glandular / joint articular / lip labial /
gum gingiva gingival / palate palatal / tonsil tonsillar / lens lenticular / iris irises / pupil
pupillary / conjunctiva conjunctival / sclera scleral sclerae / finger digit / umbilicus umbilical
navel / placenta placental / fetus fetal / embryo embryonic / vagina vaginal / vulva vulvar / penis
penile / scrotum scrotal / thymus thymic / hormone hormonal / enzyme enzymatic / gene genetic /
chromosome chromosomal / cell cellular / sputum phlegm / stool feces fecal / sweat sweating
perspiration / liver hepatic hepato / kidney renal nephro / heart cardiac cardio / lung pulmonary
pneumonic / stomach gastric / spleen splenic / pancreas pancreatic / brain cerebral encephalic /
skull cranial cranium calvarium / eye ocular ophthalmic / skin cutaneous dermal / bone osseous bony
skeletal / muscle muscular / vessel vascular / artery arterial / vein venous / nose nasal / mouth
oral / tongue lingual / tooth teeth dental / uterus uterine womb / ovary ovarian / testis testicle
testicular / prostate prostatic / ureter ureteral ureteric / urethra urethral / esophagus esophageal
gullet / duodenum duodenal / jejunum jejunal / ileum ileal / cecum cecal / colon colonic / bowel
intestine intestinal gut / rectum rectal / anus anal / appendix appendiceal / bile biliary / trachea
tracheal windpipe / bronchus bronchi bronchial / larynx laryngeal / pharynx pharyngeal throat /
thyroid thyroidal / adrenal suprarenal / pituitary hypophysis hypophyseal / spine spinal / vertebra
vertebral / femur femoral thighbone / tibia tibial shinbone / fibula fibular / humerus humeral /
radius radial / ulna ulnar / scapula scapular / clavicle clavicular collarbone / rib costal /
sternum sternal breastbone / patella patellar kneecap / pelvis pelvic / chest thorax thoracic /
abdomen abdominal belly / groin inguinal / axilla axillary armpit / neck nuchal / jaw mandible
mandibular / maxilla maxillary / orbit orbital / retina retinal / cornea corneal / macula macular /
choroid choroidal / ear aural auricular / aorta aortic / pericardium pericardial / pleura pleural /
peritoneum peritoneal / meninges meningeal / ventricle ventricular / atrium atria atrial / septum
septal / mediastinum mediastinal / diaphragm diaphragmatic / hilum hila hilar / alveolus alveoli
alveolar / glomerulus glomeruli glomerular / tubule tubular / node nodal / epidermis epidermal /
nucleus nuclei nuclear / follicle follicular / breast mammary / nerve neural / cortex cortical /
urine urinary / blood hematic sanguineous / serum plasma / lobe lobar / base basal basilar / apex
apical apices / periphery peripheral / center central centre / edema edematous swell swelling
swollen lump / fail failure / expose exposure / close closure / adjacent near beside / adjacent near
beside / foot feet / mouse mice / hemorrhage hemorrhagic bleeding bleed bled / dyspnea dyspneic
breathlessness breathless / fever febrile pyrexia feverish / itch itchy itching pruritus pruritic /
rash exanthem eruption / jaundice icterus icteric jaundiced / hypertension hypertensive /
hypotension hypotensive / stroke cva / tumor neoplasm neoplastic / cancer carcinoma malignancy
malignant / infarct infarction infarcted / ischemia ischemic / necrosis necrotic / fibrosis fibrotic
/ stenosis stenotic narrow / dilate dilatation ectasia ectatic distend widen distension distended
bloating bloated / enlarge enlargement / atrophy atrophic atrophied shrunken / hypertrophy
hypertrophic hypertrophied / opacity opacification opacities opacified opaque / consolidation
consolidated consolidative / lucency lucent / fracture broken break broke / dislocate dislocation
luxation / rupture tear torn tore / perforate perforation hole / thick thickening thicken / thin
thinning / calcify calcification calcified calcific / ossify ossification / inflame inflammation
inflammatory inflamed / infect infection infectious contagious communicable / ulcer ulceration
ulcerated / stone calculus calculi lithiasis / clot thrombus thrombi thrombosis thrombotic
thrombosed / embolus emboli embolism embolic / metastasis metastases metastatic metastasize spread
dissemination disseminate / cyst cystic / abscess abscesses / hernia herniate herniation / nodule
nodular / atelectasis atelectatic atelectases / emphysema emphysematous / cirrhosis cirrhotic /
anemia anemic / sepsis septic / pneumonia pneumonias / arthritis arthritic / diabetes diabetic /
obese obesity / asthma asthmatic / epilepsy epileptic / seizure convulsion / faint syncope syncopal
/ vomit vomiting emesis / nausea nauseous nauseated / fatigue tiredness tired / red redness erythema
erythematous / bruise ecchymosis bruising / pale pallor / cyanosis cyanotic / cough coughing / pain
painful ache aching / tender tenderness / weak weakness weaken / warm warmth / strong strength / hot
heat / compete competence competent / vary variation variable variability / differ difference
different / grow growth grew grown / feel felt palpable palpated palpate / shrink shrank shrunk /
bind bound / drink drank drunk / eat ate eaten meal food / bend bent / burn burnt / sink sank sunk /
write wrote written / dizzy dizziness vertigo / alopecia / headache cephalalgia / death die died
dead mortality fatal lethal / survive survival / recur recurrence recurrent relapse / begin
beginning began begun onset start started / stop stopped cease ceased discontinue discontinued
cessation discontinuation withdraw withdrawn / end ends terminate finish / drug medication medicine
medicament / doctor physician clinician / operate operation surgery surgical operative / excise
excision resect resection remove removal removed extract extraction evacuate evacuation / biopsy
biopsied / therapy treatment treat treated therapeutic give given gave administer administration
receive / child children pediatric childhood / woman women female / man men male / elderly geriatric
/ pregnant pregnancy gravid gestation / birth born delivery deliver delivered / newborn neonate
neonatal / increase rise rising risen rose raise raised elevate elevation elevated high higher /
decrease reduce reduction reduced low decline fall fallen fell drop diminish diminished loss lose /
decrease lost impair impairment impaired / cause due induce result lead produce provoke trigger
secondary attributable responsible attribute led explain underlie underlies underlying account
responsibility / consist compose comprise comprised composed made / measure size diameter dimension
/ location locate situate position lie lies lying / contain hold / arise arose arisen originate
origin / involve involvement affect / frequent common often usual typical characteristic commonly
frequently usually typically / rare uncommon infrequent seldom rarely / enter inserts insert
insertion / diagnose diagnosis diagnostic / normal unremarkable physiologic physiological / abnormal
abnormality / unchanged stable constant stability / improve improvement better / worsen worse
deteriorate deterioration progression progress / persist persistence remain continue / smoke smoker
smoking tobacco / alcohol ethanol / weigh weight / count number / transmit transmission / inherit
inherited hereditary heritable / mutate mutation mutated / occlude occlusion occluded block blockage
/ obstruct obstruction obstructive / leak leakage regurgitation regurgitate insufficiency
incompetence / accumulate accumulation / bilateral bilaterally / wide width / deep depth / long
length / injure injury trauma traumatic / wound laceration / invade invasion infiltrate infiltration
/ compress compression squeeze / displace displacement shift push / deviate deviation / collapse
collapsed / sclerose sclerosis sclerotic / degenerate degeneration degenerative / proliferate
proliferation proliferative / differentiate differentiation / immune immunity / vaccine vaccination
vaccinate immunization immunize / intubate intubation / ventilate ventilation / screen screening /
hospital hospitalize hospitalized hospitalization admit admission admitted / discharge discharged /
allergy allergic / toxic toxicity / dehydrate dehydration / malnourish malnutrition / paralyze
paralysis paralytic palsy plegia / face facial / lip labial / cheek buccal / hand palmar / sole
plantar / knee genicular / wrist carpal / leg crural / after afterwards afterward / germ microbe
microorganism / numb numbness / deaf deafness / blind blindness / visual vision sight / hear hearing
/ swallow swallowing / breathe breathing respiration respiratory / defecate defecation / sleep
sleeping somnolence / confuse confusion confused / gram gramme / antibiotic antibacterial /
analgesic painkiller / steroid corticosteroid / artery arteries / convex convexity / symmetry
symmetric symmetrical / homogeneous uniform homogenous / heterogeneous inhomogeneous / sharp
circumscribed demarcated demarcate / polyp polypoid / scar scarring / scale scaly scaling / blister
bulla bullae bullous / plaque plaques / granuloma granulomatous granulomas / bacterium bacteria
bacterial / virus viral / fungus fungal fungi / parasite parasitic / urinate micturition voiding /
absorb absorption / resorb resorption / prescribe prescription / erode erosion / divide division /
expand expansion / invert inversion / convert conversion / adhere adhesion adherent / deficient
deficiency deficit / apply application / contract contraction / relax relaxation / rotate rotation /
flex flexion / retain retention / maintain maintenance keep kept / respond response responsive /
sense sensation sensory / move movement motion motile motility / anxious anxiety / depressed
depression depressive / able ability / fertile fertility / severe severity / large big / small tiny
minute / fast rapid quick / multiple many numerous / single solitary isolated / mother maternal /
father paternal / infant baby / adolescent teenager teenage / sugar glucose / fat lipid adipose
fatty / pus purulent suppurative / anterior front ventral / posterior dorsal / below beneath
underneath / above over / mole naevus nevus / hives urticaria urticarial / influenza flu /
tuberculosis tb tuberculous / haemorrhoids piles / furuncle boil / strabismus squint / varicella
chickenpox / pertussis / electrocardiogram ecg ekg / liquid fluid / harden induration indurated hard
firm / ascend ascending / descend descending / crack fissure / branch bifurcation / store storage /
take took taken / feed fed feeding / hold held / bring brought / lay laid / teach taught / send sent
/ underwent undergo undergone / occur occurred occurrence / cure heal healing healed / oxygenate
oxygenated / ripen mature / filter filtration / secrete secretion secretory / excrete excretion /
digest digestion digestive / ovulate ovulation / menstruate menstruation menstrual / lactate
lactation / circulate circulation circulatory / nourish nutrition / transplant transplantation graft
/ puncture tap / drain drainage / suture stitch / bandage dressing / irradiate irradiation radiation
radiotherapy / anesthesia anesthetic / sedate sedation sedative / monitor monitoring / rest resting
/ exercise exertion / temperature / contaminate contamination / mature maturation / short shorten
shortening / soft soften softening / dark pigmentation pigmented hyperpigmentation / avoid avoidance
contraindicate contraindicated contraindication / recommend recommendation advise advised / require
requirement need / prevent prevention preventive prophylaxis prophylactic protect protection
protective / detect detection / success successful / complicate complication / migrate migration /
function work / perfuse perfusion / hasten accelerate / slow decelerate / strain sprain / stiff
stiffness / coordinate coordination / intend plan planned / attempt try tried / choose choice chosen
/ puff inhaler / pill tablet / jab shot injection inject injected / bladder vesical / knuckle
metacarpophalangeal / lash eyelash / lid eyelid palpebral / calf calves / thigh thighs / heel
calcaneal / shoulder glenohumeral / coagulate coagulation / urate uric / fit convulsion / stretch
elongate elongation / constrict constriction / fix fixed fixation / sit sat / freeze froze frozen /
wear wore worn / speak spoke spoken / shake shook shaken / hide hid hidden / blow blew blown / draw
drew drawn / know knew known / throw threw thrown / catch caught / think thought / seek sought /
sleep slept / stand stood / stick stuck / hang hung / shoot shot / meet met / slide slid / deal
dealt / bite bit bitten / refuse refusal decline declined reject rejected / assist aid / ill sick
sickness / quickly rapidly swiftly / intake ingest ingestion / pustule pustular / papule papular /
vesicle vesicular / crust crusted / wheeze wheezing / gait walk walking / hallucinate hallucination
/ suicide suicidal / addict addiction dependence / cavity caries carious / hoarse hoarseness
dysphonia / deform deformity / premature preterm / stillborn stillbirth / abort abortion miscarriage
/ donor donate donation / tremor tremulous / ataxia ataxic / spasm spastic spasticity / wart verruca
/ lice louse pediculosis / worm helminth / amoeba amoebic
"""

# Values of which a thing has one at a time; a word may stand in several.
EXCLUSIVE = """
spare involve / spare injure / spare damage / intact injure / intact damage / intact defect /
viable necrosis / decrease full / limit full / sensitive insensitive / loose fixed / sterile grow /
increase decrease unchanged / mild moderate severe / acute chronic / acute subacute / benign cancer
/ upper middle lower / anterior posterior / medial lateral / proximal distal / superior inferior /
ascending descending / small large / woman man / solid cyst / frequent rare / early late / first
second third fourth / partial complete / unilateral bilateral / improve worsen / improve unchanged /
worsen unchanged / increase unchanged / dominant recessive / systolic diastolic / open closed /
patent occlude / sharp ill-defined / homogeneous heterogeneous / high low / dry productive / dry
moist / dry wet / dry soaked / straight deviate / straight curved / full empty / clear cloudy /
clear turbid / clean contaminated / alert drowsy / awake asleep / mobile fixed / supple stiff /
continuous intermittent / sudden gradual / raised flat / convex concave / hypertrophy atrophy /
bright dark / heavy light / active inactive / present absent / smooth irregular / smooth spiculate /
well poor / sensitive resistant / elective emergency / before after / above below / begin stop /
intravenous mouth intramuscular subcutaneous / soft firm / soft hard / regular irregular / tall
short / fast slow / rapid slow / strong weak / hot cold / warm cold / alive death / conscious
unconscious / thick thin / primary metastasis / outpatient inpatient / single multiple / superficial
deep / internal external / vegetative sexual / reversible irreversible / gain lose / survive death /
cranial caudal / dorsal ventral / radial ulnar / volar dorsal / recommend contraindicated / indicate
contraindicated / avoid recommend / harmless dangerous / safe dangerous / congenital acquired /
inherit acquired / success fail / agree refuse / accept refuse / highgrade lowgrade / lefthanded
righthanded / elevate depress / asleep awake / pregnant menopausal / breech cephalic / dominant
nondominant / systemic local / focal diffuse / unifocal multifocal / localized generalized / linear
round / exudate transudate / ischemic hemorrhagic / obstructive restrictive / viral bacterial / gain
decrease / rupture intact / fracture intact / transient permanent / temporary permanent / voluntary
involuntary / flaccid spastic / hereditary sporadic / familial sporadic / morning evening / day
night / summer winter / monophasic biphasic / afferent efferent / sympathetic parasympathetic /
flexor extensor / abductor adductor / arterial venous / motor sensory / change unchanged / patent
closed / patent block / compete leak / patent thrombus / midline deviate / inner outer / enter leave
/ enter exit / inside outside / oxygenate deoxygenate / autosomal xlinked / cortex medulla / rod
cone / cocci rod / systole diastole / fasting postprandial / exothermic endothermic / inspiration
expiration / stenosis regurgitation / endovascular open / gain loss / bacterium virus fungus
parasite protozoan / relaxed contracted / dilate constrict / dilate shrink / artery vein /
antagonist agonist / inhibit stimulate / inhibit activate / inhibit enhance / block enhance /
suppress stimulate / promote inhibit / promote prevent / cause prevent / worsen relieve / aggravate
relieve / aggravate alleviate / accelerate slow / hasten delay / open close / upward downward /
forward backward / hypoechoic hyperechoic / hypodense hyperdense / palpable impalpable / resectable
unresectable / encapsulated infiltrating / transmural mucosal / lytic blastic / sterile infect /
communicating noncommunicating / orally intravenously / vaginal cesarean / singleton twin / widen
narrow / lengthen shorten / thicken thin / permit forbid / allow forbid / lawful illegal / advise
contraindicated / avoid advise / appear disappear / swell subside / confined spread / localized
spread / clockwise anticlockwise / alkaline acid / acidosis alkalosis / hydrophilic lipophilic /
laminar turbulent / wake sleep / standing supine / upright supine / prone supine / erect supine
"""

# A phrase, and the words that stand for it.
PHRASES = """
tympanic membrane: eardrum / hair falls out: alopecia / hair fell out: alopecia / losing hair:
alopecia / sore throat: pharyngitis / stuffy nose: nasal congestion / heart rhythm disorder:
arrhythmia / irregular heartbeat: arrhythmia / water on the brain: hydrocephalus / lockjaw: tetanus
/ consumption of: intake of / stomach ache: abdominal pain / belly pain: abdominal pain / tummy
pain: abdominal pain / high temperature: fever / raised temperature: fever / under the skin:
subcutaneously / into the vein: intravenously / by mouth: orally / into the muscle: intramuscularly
/ into a vein: intravenously / into a muscle: intramuscularly / c-section: caesarean section / birth
control pill: oral contraceptive / eye pressure: intraocular pressure / womb lining: endometrium /
lining of the uterus: endometrium / wind pipe: trachea / chest film: chest radiograph / mini-stroke:
transient ischemic attack / tia: transient ischemic attack / mi: myocardial infarction /
hypertensive disease: hypertension / raised blood pressure: hypertension / hardening of the
arteries: atherosclerosis / underactive thyroid: hypothyroidism / overactive thyroid:
hyperthyroidism / thyroid underactivity: hypothyroidism / water retention: edema / pins and needles:
paresthesia / tingling: paresthesia / kidney failure: renal failure / gets bigger: enlarges / got
bigger: enlarged / gets smaller: shrinks / got smaller: shrank / comes back: recurs / came back:
recurred / took out: removed / taken out: removed / takes out: removes / cut out: excised / led to:
caused / leads to: causes / gave rise: caused / brings about: causes / brought about: caused / does
away with: removes / every day: daily / each day: daily / every week: weekly / each week: weekly /
every month: monthly / x-linked: xlinked / shifted towards: shifted to / on either side: bilaterally
/ on each side: bilaterally / one-sided: unilateral / within normal limits: normal / within the
normal range: normal / of normal size: normal size / shortness of breath: dyspnea / short of breath:
dyspneic / difficulty breathing: dyspnea / high blood pressure: hypertension / elevated blood
pressure: hypertension / low blood pressure: hypotension / heart attack: myocardial infarction /
cardiac arrest: asystole / cerebrovascular accident: stroke / cerebral infarction: stroke / loss of
consciousness: syncope / lost consciousness: had syncope / loses consciousness: has syncope / passed
out: fainted / hair loss: alopecia / loss of hair: alopecia / loss of appetite: anorexia / poor
appetite: anorexia / weight loss: weightloss / loss of weight: weightloss / lost weight: weightloss
/ blood in the urine: hematuria / bloody urine: hematuria / blood in the stool: hematochezia /
coughing up blood: hemoptysis / coughing blood: hemoptysis / nose bleed: epistaxis / nosebleed:
epistaxis / low blood sugar: hypoglycemia / low blood glucose: hypoglycemia / high blood sugar:
hyperglycemia / high blood glucose: hyperglycemia / rapid heart rate: tachycardia / fast heart rate:
tachycardia / slow heart rate: bradycardia / difficulty swallowing: dysphagia / trouble swallowing:
dysphagia / difficulty in swallowing: dysphagia / painful urination: dysuria / pain on urination:
dysuria / muscle pain: myalgia / joint pain: arthralgia / painful joints: arthralgia / blood clot:
thrombus / lymph gland: lymph node / lymph glands: lymph nodes / air space: airspace / air-space:
airspace / x ray: radiograph / x-ray: radiograph / ct scan: ct / computed tomography: ct / magnetic
resonance imaging: mri / made up of: composed of / because of: due to / owing to: due to / as a
result of: due to / on account of: due to / result of: due to / white blood cell: leukocyte / white
blood cells: leukocytes / white cell: leukocyte / white cells: leukocytes / red blood cell:
erythrocyte / red blood cells: erythrocytes / red cells: erythrocytes / blood thinner: anticoagulant
/ blood thinners: anticoagulants / soft tissues: soft tissue / collar bone: clavicle / shin bone:
tibia / thigh bone: femur / breast bone: sternum / knee cap: patella / voice box: larynx / food
pipe: esophagus / in the absence of: without / free air: pneumoperitoneum / free gas:
pneumoperitoneum / free intraperitoneal air: pneumoperitoneum / free fluid: fluid / no longer: not /
coughed up blood: hemoptysis / coughs up blood: hemoptysis / vomiting blood: hematemesis / vomited
blood: hematemesis / blood in the sputum: hemoptysis / lung base: base / lung bases: bases / lung
apex: apex / lung apices: apices / gave birth: delivery / status post: after / history of: previous
/ as well as: and / bibasilar: bilateral basal / bibasal: bilateral basal / biapical: bilateral
apical / bihilar: bilateral hilar / on both sides: bilaterally / of both sides: bilateral / swollen
lymph nodes: lymphadenopathy / enlarged lymph nodes: lymphadenopathy / swollen glands:
lymphadenopathy / blood vessels: vessels / blood vessel: vessel / pulse rate: heart rate / bedsore:
pressure ulcer / decubitus ulcer: pressure ulcer / herpes zoster: shingles / whooping cough:
pertussis / german measles: rubella / high cholesterol: hypercholesterolemia / double vision:
diplopia / ringing in the ears: tinnitus / lazy eye: amblyopia / hay fever: allergic rhinitis /
runny nose: rhinorrhea / slipped disc: disc herniation / short-sighted: myopic / nearsighted: myopic
/ far-sighted: hyperopic / copd: chronic obstructive pulmonary disease / dvt: deep vein thrombosis /
afib: atrial fibrillation / csf: cerebrospinal fluid / uti: urinary tract infection / sle: systemic
lupus erythematosus / ckd: chronic kidney disease / white blood cell count: leukocyte count / rul:
right upper lobe / rml: right middle lobe / rll: right lower lobe / lul: left upper lobe / lll: left
lower lobe / right hand side: right side / left hand side: left side / left-handed: lefthanded /
right-handed: righthanded / symmetrically: bilaterally / gave up: stopped / carried out: performed /
made worse: worsened / gets worse: worsens / got worse: worsened / got better: improved / gets
better: improves / made better: improved / is made of: consists of / are made of: consist of / is
composed of: consists of / in the setting of: due to / arising from: arises from / stemming from:
arises from / with no: without / has no: lacks / have no: lack / had no: lacked / not a single: no /
free from: free of / does not have: lacks / do not have: lack / did not have: lacked / most common:
commonest / most frequent: commonest / most often: commonly / high-grade: highgrade / low-grade:
lowgrade / drug of first choice: drug of choice / first choice: drug of choice / body weight: weight
/ in size: measuring / give rise to: cause / gives rise to: causes / gave rise to: caused / brought
about by: caused by / turns out to be: is / turned out to be: was / is identified as: is / was
identified as: was / are identified as: are / were identified as: were / is diagnosed as: is / was
diagnosed as: was / are diagnosed as: are / were diagnosed as: were / is classified as: is / was
classified as: was / are classified as: are / were classified as: were / is known as: is / was known
as: was / are known as: are / were known as: were
"""

# A word, and what it is made of.
COMPOSED = """
adenocarcinoma: adeno carcinoma / nephrolithiasis: kidney stone / urolithiasis: urine stone /
cholelithiasis: gallbladder stone / gallstone: gallbladder stone / gallstones: gallbladder stone /
choledocholithiasis: bile duct stone / proteinuria: urine protein / glycosuria: urine glucose /
thrombocytopenia: platelet decrease / thrombocytosis: platelet increase / leukopenia: leukocyte
decrease / leukocytosis: leukocyte increase / neutropenia: neutrophil decrease / hyponatremia:
sodium decrease / hypernatremia: sodium increase / hypokalemia: potassium decrease / hyperkalemia:
potassium increase / hypocalcemia: calcium decrease / hypercalcemia: calcium increase /
hyperuricemia: urate increase / hyperbilirubinemia: bilirubin increase / hypoalbuminemia: albumin
decrease / heartbeat: heart beat / lithotripsy: stone break / thoracotomy: chest open / laparotomy:
abdomen open / craniotomy: skull open / retroperitoneal: behind peritoneum / clearly: certainly /
positive: seropositive / positivity: seropositive / positively: seropositive / testes: testis /
lowers: decrease / lowered: decrease / lowering: decrease / cardiomegaly: heart enlarge /
hepatomegaly: liver enlarge / splenomegaly: spleen enlarge / hepatosplenomegaly: liver spleen
enlarge / nephromegaly: kidney enlarge / thyromegaly: thyroid enlarge / lymphadenopathy: lymph node
enlarge / adenopathy: lymph node enlarge / appendectomy: appendix excise / appendicectomy: appendix
excise / cholecystectomy: gallbladder excise / hysterectomy: uterus excise / nephrectomy: kidney
excise / splenectomy: spleen excise / thyroidectomy: thyroid excise / mastectomy: breast excise /
gastrectomy: stomach excise / colectomy: colon excise / lobectomy: lobe excise / prostatectomy:
prostate excise / tonsillectomy: tonsil excise / oophorectomy: ovary excise / orchiectomy: testis
excise / periumbilical: around umbilicus / perihilar: around hilum / retrosternal: behind sternum /
intraabdominal: abdomen / infrarenal: below kidney / hemithorax: chest / hemidiaphragm: diaphragm /
several: various / illness: disease / illnesses: disease
"""

# A word, and what it says is not so, by a prefix that does not show it: "non" and "un" do.
NOT = """
instability: stability / imbalance: balance / inactivity: activity / incompetence: competence /
infertility: fertility / incontinence: continence / immobility: mobility / immaturity: maturity /
irregularity: regularity / insensitivity: sensitivity / inability: ability / impotence: potency /
inappropriate: appropriate / inconstant: constant / insignificant: significant / unable: able /
inoperability: operability / indistinct: distinct / illegible: legible /
afebrile: febrile / asymptomatic: symptomatic / avascular: vascular / atypical: typical /
asymmetric: symmetric / asymmetrical: symmetric / asymmetry: symmetry / acellular: cellular /
aseptic: septic / anicteric: icteric / acyanotic: cyanotic / irregular: regular / irreversible:
reversible / irresectable: resectable / incomplete: complete / incompletely: completely /
inadequate: adequate / inactive: active / insensitive: sensitive / insufficient: sufficient /
incompetent: competent / inoperable: operable / indirect: direct / inhomogeneous: homogeneous /
immobile: mobile / immature: mature / impalpable: palpable / painless: painful / disconnected:
connected / ineffective: effective / inaudible: audible / insoluble: soluble / invisible: visible /
incontinent: continent / infertile: fertile / incurable: curable / irreducible: reducible /
inoperative: operative / impotent: potent / invalid: valid / intolerant: tolerant / intolerance:
tolerance / immunocompromised: immunocompetent / insensate: sensate / aphasic: phasic / anechoic:
echoic / aneuploid: euploid / acyclic: cyclic / disoriented: oriented / discontinuous: continuous
"""
