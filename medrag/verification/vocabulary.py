"""English words by what they do in a sentence: add nothing, little, or tell where or how much.

Written for this project from general knowledge of the field.
"""

# Words that add nothing to what is said to be so: of reporting, of being there, of the patient.
LIGHT = """
complaint complaints among today yesterday tomorrow tonight recently lately out off in position situ
such quite fairly indeed clinical details indication conclusion impression comparison study series
compare compared otherwise else ie eg anyone anybody everyone careful carefully obvious obviously
all every each heard certainly yet ever even according suggest indicate point nothing never none
nobody devoid unlikely instead nowhere ongoing manner way fashion pattern mode letter chart author
writer book show see seen present presence find found finding note reveal demonstrate evidence sign
image picture film scan radiograph view study exam examination report describe document identify
observe detect visible visualize appear appearance evident apparent patient case subject person
people individual place take has have had do did done side part area site region aspect level
perform tell say state feature currently current today now still already again rather also
additionally furthermore moreover overall whole known prior previously test tests persist lasted
mean noted per approximately about around nearly roughly circa almost only any there extend reported
complain exist occur suffer consist old age aged disease disorder condition definite definitely
confirm quality type kind form within which throughout along speak mention write comment quote list
record undergo underwent against absent absence negative deny exclude lack free rule particular
specific namely including include such respectively
"""

# Words that a paraphrase may leave out where nearly all the rest is said.
SOFT = """
culture cultured last lasts run ran trait well ct mri ultrasound sonography mammography
echocardiography imaging radiography laboratory angiography venography doppler duplex scintigraphy
endoscopy gastroscopy colonoscopy laryngoscopy fundoscopy autopsy man woman boy girl gentleman lady
male female biopsy swab section stain dipstick serology occupy fill sit stand harbor bear come comes
get got put keep strike struck settle lodge bring carry serve lead leads belong form forms extend
pass passes yield deploy insert perform accompany attend turn tend start finish week day month year
hour time total overall maximal maximum minimal estimated adult unit approximate place placed sized
good quality further additional subsequent subsequently later afterwards meanwhile initial initially
own itself themselves various range ranges roughly careful typical most majority many much few
people population case series study trial data result results outcome dose dosing give receive
therapy confine limit restrict alone only position course label call mean define term denote fewer
less more least stay go went come surgeon doctor nurse therapy cause involve measure begin end
location contain arise consist diagnose develop lesion structure tissue gland serum plasma body
sample specimen smear cytology histology pathology before after follow course lead become make use
require need allow help call name refer place project extend reach cover surround connect include
feature relate associate link count rate index value level amount significant marked main major
chief important general average mainly mostly slightly markedly significantly state process function
activity role effect factor group form day time usually often
"""

# What a "normal", "clear" or "intact" part is not: of its size, and of all else.
OF_SIZE = """
enlarge dilate atrophy stenosis hypertrophy swell thick thin wide small large displace
"""
ABNORMAL = """
enlarge dilate atrophy stenosis hypertrophy swell thick thin wide small large displace abnormal
opacity consolidation nodule atelectasis edema effusion pneumonia infiltrate invade mass lesion
fracture dislocate rupture perforate calcify inflame ulcer stone clot cyst abscess infarct ischemia
hemorrhage collapse irregular deviate stenosis occlude obstruct involve erosion defect tender
increase decrease cancer tumor
"""

# Ways to say that nothing is wrong, and what extent is told by.
WELL = "healthy normal clear intact spared preserved uninvolved unaffected"
EXTENT = "measure wide deep long caliber contour height volume thickness silhouette weigh"

# Parts of the body: a finding in one is not the finding in another.
BODY = """
liver kidney heart lung stomach spleen pancreas brain skull eye skin bone muscle vessel artery vein
nose mouth tongue tooth uterus ovary testis prostate ureter urethra bladder gallbladder esophagus
duodenum jejunum ileum cecum colon bowel rectum anus appendix bile trachea bronchus larynx pharynx
thyroid adrenal pituitary spine vertebra femur tibia fibula humerus radius ulna scapula clavicle rib
sternum patella pelvis chest abdomen groin axilla neck jaw maxilla orbit retina cornea macula ear
aorta pericardium pleura peritoneum meninges ventricle atrium mediastinum diaphragm breast nerve
shoulder elbow wrist hip knee ankle hand foot finger toe arm leg thigh forearm scaphoid lunate talus
calcaneus sinus lip cheek face scalp back sacrum coccyx cervix vagina penis scrotum umbilicus
"""

# Parts of parts: they tell where, and name no finding.
PARTS = """
lobe upper middle lower base apex periphery center segment quadrant wall head tail anterior
posterior medial lateral proximal distal superior inferior septum hilum margin surface pole frontal
parietal temporal occipital zone field lung chest
"""

# Verbs that show that a clause of its own follows "and" or a comma.
VERBS = """
enter entered is are was were has have had shows show showed appears appear remains remain
demonstrates reveals contains contain ends end lies lie measures measure causes involves displaces
invades extends arises occurs develops becomes suggests measured weighed improved resolved increased
decreased recovered died began stopped takes took received underwent denies denied presents
presented reports reported may might can could will would does did leads produces drains enters
spares supplies inserts acts binds inhibits affects reaches runs disappeared subsided vanished
worsened healed grew fell rose dropped remained occurred developed required responded failed
revealed returned serve serves depends depend leaves leave carries carry works comes came goes went
kept keeps gives gave forms form sits holds held consists consist brought brings makes made passes
passed crosses crossed reach lack lacks covers covered returns improves worsens resolves recurs lies
rests supplied drained arose originates originated spared persist persisted persists ceased
continued continues progressed relapsed recurred needed needs grows falls rises invaded involved
affected caused led reached extended spread contained
"""

# Relatives.
KIN = """
mother father sister brother uncle aunt grandmother grandfather parent sibling cousin husband wife
son daughter niece nephew relative twin donor neighbor spouse partner
"""

# Verbs whose subject and object do not change places.
TURNING = """
cause inhibit stimulate activate precede follow exceed produce prevent promote trigger compress
displace supply drain innervate convert affect act enter leave
"""
