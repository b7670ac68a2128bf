"""What DICOM codes mean, and which of its tags tell who a patient is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Modality:
    """A modality in words, and the domain of medicine that reads it (None: any)."""

    name: str
    domain: str | None


_RADIOLOGY, _EYE, _TISSUE = "radiology", "ophthalmology", "pathology"

# Code of (0008,0060) to meaning. Source: DICOM PS3.3, C.7.3.1.1.1; the domains are ours.
MODALITIES: Mapping[str, Modality] = {
    "BMD": Modality("bone densitometry", _RADIOLOGY),
    "CR": Modality("radiograph", _RADIOLOGY),
    "CT": Modality("computed tomography", _RADIOLOGY),
    "DX": Modality("radiograph", _RADIOLOGY),
    "IO": Modality("intra-oral radiograph", _RADIOLOGY),
    "MG": Modality("mammogram", _RADIOLOGY),
    "MR": Modality("magnetic resonance image", _RADIOLOGY),
    "NM": Modality("nuclear medicine image", _RADIOLOGY),
    "PT": Modality("positron emission tomography", _RADIOLOGY),
    "PX": Modality("panoramic radiograph", _RADIOLOGY),
    "RF": Modality("fluoroscopy", _RADIOLOGY),
    "RG": Modality("radiograph", _RADIOLOGY),
    "RTIMAGE": Modality("radiotherapy image", _RADIOLOGY),
    "US": Modality("ultrasound", _RADIOLOGY),
    "BDUS": Modality("bone ultrasound", _RADIOLOGY),
    "IVUS": Modality("intravascular ultrasound", _RADIOLOGY),
    "XA": Modality("angiography", _RADIOLOGY),
    "SM": Modality("slide microscopy", _TISSUE),
    "GM": Modality("microscopy", _TISSUE),
    "OAM": Modality("ophthalmic axial measurement", _EYE),
    "OCT": Modality("optical coherence tomography", None),
    "OP": Modality("ophthalmic photograph", _EYE),
    "OPM": Modality("ophthalmic map", _EYE),
    "OPT": Modality("ophthalmic tomography", _EYE),
    "OPTBSV": Modality("ophthalmic tomography", _EYE),
    "OPTENF": Modality("ophthalmic tomography", _EYE),
    "OPV": Modality("visual field", _EYE),
    "DMS": Modality("dermoscopy", "dermatology"),
    "ES": Modality("endoscopy", "endoscopy"),
    "XC": Modality("photograph", None),
    "SC": Modality("secondary capture", None),
    "OT": Modality("medical image", None),
}

# Values of (0018,5101) that a reader may not know. Source: DICOM PS3.3, C.8.7.1 and C.8.11.
VIEWS: Mapping[str, str] = {
    "AP": "anteroposterior (AP)",
    "PA": "posteroanterior (PA)",
    "LL": "left lateral",
    "RL": "right lateral",
    "LATERAL": "lateral",
    "LLO": "left lateral oblique",
    "RLO": "right lateral oblique",
    "LAO": "left anterior oblique",
    "RAO": "right anterior oblique",
    "CC": "craniocaudal",
    "MLO": "mediolateral oblique",
}

# Devices that write a patient's name or number into the pixels.
BURNT_IN_MODALITIES = frozenset({"US", "BDUS", "IVUS", "SC", "ES", "XA", "RF", "OT", "OPV", "OAM"})
# Secondary capture in all its forms, and the captured screens of video.
BURNT_IN_CLASSES = ("1.2.840.10008.5.1.4.1.1.7",)

# Tags that tell who a patient is, or who and where their carers are. Their values are never
# stored, raw or in a text; PatientID and StudyInstanceUID are stored as keyed hashes. The list
# names the chief ones: all others stay out as well, because only listed tags are ever read.
# Source: DICOM PS3.15, annex E, Basic Application Level Confidentiality Profile.
IDENTIFYING: tuple[str, ...] = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName",
    "PatientMotherBirthName", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers",
    "PatientComments", "MedicalRecordLocator", "MilitaryRank", "EthnicGroup", "Occupation",
    "ResponsiblePerson", "IssuerOfPatientID", "InsurancePlanIdentification",
    "AccessionNumber", "StudyID", "AdmissionID", "ServiceEpisodeID", "RequestingService",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "ReferringPhysicianName", "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers",
    "PerformingPhysicianName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord",
    "RequestingPhysician", "ConsultingPhysicianName", "OperatorsName", "DeviceSerialNumber",
)  # fmt: skip

# Those of them that people name files and folders by. The others, such as an institution called
# "Chest Clinic", share words with paths that identify nobody.
IN_PATHS: tuple[str, ...] = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName",
    "PatientBirthDate", "MedicalRecordLocator", "AccessionNumber", "AdmissionID", "StudyID",
    "ReferringPhysicianName", "PerformingPhysicianName",
)  # fmt: skip
