"""What DICOM codes of a view mean, and which of its tags tell who a patient is."""

from collections.abc import Mapping

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
