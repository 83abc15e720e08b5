"""Sources with leukaemic patients' cells."""

from leukstudy.data.registry.source import Source

LEUKAEMIA = (
    Source(
        name="c_nmc_2019",
        title="C-NMC 2019 (ISBI challenge)",
        adapter="c_nmc_2019",
        licence="CC BY 3.0",
        home="https://www.cancerimagingarchive.net/collection/c-nmc-2019",
        doi="10.7937/tcia.2019.dc64i46r",
        citation="Gupta R, Gehlot S, Gupta A. C-NMC: B-lineage acute lymphoblastic leukaemia: a blood cancer "
        "dataset. Medical Engineering & Physics 2022;103:103793.",
        gate="open",
        access="10.4 GB by IBM Aspera from TCIA's page; a mirror on Kaggle needs an account there",
        kaggle="andrewmvd/leukemia-classification",
        layout=(
            "training images UID_<subject>_<image>_<cell>_{all,hem}.bmp at any depth; the preliminary test set as "
            "N.bmp below a folder whose name holds 'prelim' or 'validation', with a CSV Patient_ID,new_names,labels "
            "(1 = ALL). TCIA (C-NMC_training_data, C-NMC_test_prelim_phase_data) and Kaggle (training_data, "
            "validation_data) layouts, folders doubled or not. The final test set has no labels and is left out"
        ),
        label_kind="diagnosis",
        classes={"ALL": 7272 + 1219, "HEM": 3389 + 648},
        images=7272 + 1219 + 3389 + 648,
        image_size="450x450",
        group_level="patient",
        groups="subject, from the file name or the CSV, letters in upper case; h12 and H12 are taken for one subject",
        cautions=(
            "One cell on black: the outline of the cut says something about the label, whatever the cell looks like.",
            "Ids of HEM subjects begin with H ?: the name gives the label away.",
            "The published counts are training folds (7272 ALL, 3389 HEM) and preliminary test (1219, 648) together.",
            "Numbers of the three training folds are not kept: cross-validation here deals its own.",
        ),
        tested="fabricated miniatures of the TCIA and the Kaggle layout; odd: doubled folders, a subject spelt h12 and H12, CSV "
        "missing, naming absent files or two labels, UIDs or bare subjects in it, name against folder, a cell twice, .BMP",
    ),
    Source(
        name="all_idb1",
        title="ALL-IDB1",
        adapter="all_idb1",
        licence="research use by application; redistribution ?",
        home="https://homes.di.unimi.it/scotti/all",
        doi="10.1109/ICIP.2011.6115881",
        citation="Labati RD, Piuri V, Scotti F. ALL-IDB: the acute lymphoblastic leukemia image database for image "
        "processing. IEEE ICIP 2011.",
        gate="form",
        access="fill in the application form on the page; the publisher sends the files",
        layout="im/ImNNN_Y.jpg, Y=1 ALL, Y=0 healthy; xyc/ImNNN_Y.xyc, a line 'x y' for each blast",
        label_kind="diagnosis",
        classes={"ALL": 49, "healthy": 59},
        images=108,
        image_size="2592x1944, 1712x1368 (Im001_1 to Im033_1)",
        group_level="original",
        groups="no patient is known; fields known to overlap are one group (?), every other field its own",
        same_group=(
            ("Im009", "Im010", "Im011"),
            ("Im013", "Im014", "Im015"),
            ("Im018", "Im019"),
            ("Im020", "Im021", "Im022"),
            ("Im036", "Im102", "Im103"),
            ("Im038", "Im039", "Im044"),
            ("Im078", "Im089"),
            ("Im094", "Im095"),
        ),
        cautions=(
            "33 of the 49 ALL fields come from another camera (EXIF): resolution and colour give the label away.",
            "Neighbouring fields may show one patient: blocks of file numbers are the safer group.",
        ),
        overlaps=("all_idb2", "five_class_augmented"),
        tested="a fabricated miniature; odd: .JPG, other pictures, overlapping fields, marks outside the image or without "
        "numbers or field, a field twice",
    ),
    Source(
        name="all_idb2",
        title="ALL-IDB2",
        adapter="all_idb2",
        licence="research use by application; redistribution ?",
        home="https://homes.di.unimi.it/scotti/all",
        doi="10.1109/ICIP.2011.6115881",
        citation="Labati RD, Piuri V, Scotti F. ALL-IDB: the acute lymphoblastic leukemia image database for image "
        "processing. IEEE ICIP 2011.",
        gate="form",
        access="fill in the application form on the page; the publisher sends the files",
        layout="img/ImNNN_Y.tif, Y=1 lymphoblast of a patient with ALL, Y=0 another cell",
        label_kind="diagnosis",
        classes={"ALL": 130, "healthy": 130},
        images=260,
        image_size="257x257",
        group_level="block",
        groups="no patient, no field: blocks of file numbers",
        cautions=(
            "Crops of ALL-IDB1: never one in training and the other in test.",
            "Exact duplicates exist.",
        ),
        overlaps=("all_idb1", "five_class_augmented"),
        tested="a fabricated miniature; odd: .TIF, a folder above",
    ),
    Source(
        name="taleqani",
        title="Taleqani Hospital ALL",
        adapter="taleqani",
        licence="?",
        home="https://www.kaggle.com/datasets/mehradaria/leukemia",
        citation="Ghaderzadeh M et al. A fast and efficient CNN model for B-ALL diagnosis and its subtypes "
        "classification using peripheral blood smear images. Int J Intell Syst 2022;37:5113-5133.",
        gate="account",
        access="download from Kaggle with an account",
        kaggle="mehradaria/leukemia",
        layout=(
            "Original/{Benign,Early,Pre,Pro}/WBC-Benign-NNN.jpg or WBC-Malignant-<class>-NNN.jpg, or the class "
            "folders alone; Segmented/ (made by an algorithm) is passed over"
        ),
        label_kind="stage",
        classes={"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804},
        images=3256,
        image_size="224x224",
        group_level="block",
        groups="89 patients, but no id in the names: blocks of consecutive file numbers stand in for them",
        cautions=(
            "A scale bar burnt into the bottom-right corner differs by class: mask the corner.",
            "Exact duplicates within Pro.",
            "'Benign' means suspected of ALL and found not to be, not healthy.",
        ),
        overlaps=("blood_cell_cancer_4class",),
        tested="2,591 real images (Benign 399, Early 785, Pre 763, Pro 644) in flat folders; fabricated miniatures, nested and "
        "flat; odd: Segmented/ beside, other names, name against folder, an image twice, Thumbs.db",
    ),
    Source(
        name="blood_cell_cancer_4class",
        title="Blood cell cancer (ALL), 4 classes",
        adapter="folder",
        licence="?",
        home="https://www.kaggle.com/datasets/mohammadamireshraghi/blood-cell-cancer-all-4class",
        gate="account",
        access="download from Kaggle with an account; give the folder that holds the four class folders",
        kaggle="mohammadamireshraghi/blood-cell-cancer-all-4class",
        layout="class folders of JPEG images",
        label_kind="stage",
        images=3242,
        group_level="block",
        groups="no patient known: blocks of consecutive file numbers",
        cautions=("The same cohort as Taleqani: never external to it.",),
        overlaps=("taleqani",),
        tested="a fabricated miniature",
    ),
    Source(
        name="aml_lmu",
        title="AML-Cytomorphology (LMU Munich)",
        adapter="aml_lmu",
        licence="CC BY 3.0",
        home="https://www.cancerimagingarchive.net/collection/aml-cytomorphology_lmu",
        doi="10.7937/tcia.2019.36f5o9ld",
        citation="Matek C, Schwarz S, Spiekermann K, Marr C. Human-level recognition of blast cells in acute myeloid "
        "leukaemia with convolutional neural networks. Nat Mach Intell 2019;1:538-544.",
        gate="open",
        access="11 GB by IBM Aspera from TCIA's page",
        layout=(
            "AML-Cytomorphology/<TYPE>/<TYPE>_NNNN.tiff at any depth; annotations.dat (path, label, two "
            "re-annotations, separated by blanks) is optional"
        ),
        label_kind="cell type",
        classes={
            "BAS": 79, "EBO": 78, "EOS": 424, "KSC": 15, "LYA": 11, "LYT": 3937, "MMZ": 15, "MOB": 26,
            "MON": 1789, "MYB": 42, "MYO": 3268, "NGB": 109, "NGS": 8484, "PMB": 18, "PMO": 70,
        },
        images=18365,
        image_size="400x400",
        group_level="block",
        groups="100 AML patients and 100 controls, but no map from cell to patient: blocks of file numbers",
        cautions=(
            "Cell types are not diagnoses: normal cells of AML patients and of controls stand in one folder.",
            "One file ends in .tiff.tiff (seen in public code that reads the set).",
            "The counts of the rarer types are from the paper ?; only their sum was checked.",
        ),
        tested="a fabricated miniature of RGBA TIFFs; odd: .tiff.tiff, annotations.dat missing, incomplete or of another "
        "opinion, name against folder",
    ),
    Source(
        name="aml_mll",
        title="AML-Cytomorphology (MLL, Helmholtz Munich)",
        adapter="aml_mll",
        licence="CC BY ?",
        home="https://doi.org/10.7937/6ppe-4020",
        doi="10.7937/6ppe-4020",
        citation="Hehr M et al. Explainable AI identifies diagnostic cells of genetic AML subtypes. PLOS Digit Health "
        "2023;2:e0000187.",
        gate="open",
        access="by IBM Aspera from TCIA's page ?",
        layout=(
            "assumed from public code that reads the set, not seen: <subtype>/<patient>/image_N.tif at any depth, as "
            "in image_data/CBFB_MYH11/AQK/image_021.tif"
        ),
        label_kind="diagnosis",
        group_level="patient",
        groups="the folder that holds the image is taken for the patient (129 with AML, 60 stem-cell donors)",
        cautions=(
            "The label is the patient's genetic subtype, given to every cell: most cells of a bag may be normal.",
            "More than 80,000 images; the exact number is not known here.",
        ),
        tested="a fabricated miniature of the assumed layout; odd: a patient under two labels, pictures elsewhere",
    ),
    Source(
        name="five_class_augmented",
        title="Five-class leukaemia sets of pre-augmented copies",
        adapter="five_class_augmented",
        licence="?",
        home="several copies on Kaggle",
        gate="account",
        access="download any copy from Kaggle with an account",
        layout=(
            "{ALL,AML,CLL,CML,H}*/<class>_original_<original's name>_<id>.jpg at any depth, as Augmentor writes them"
        ),
        label_kind="diagnosis",
        classes=dict.fromkeys(("ALL", "AML", "CLL", "CML", "H")),
        group_level="original",
        groups="the original image that a copy was made from, by its name; patients are unknown",
        cautions=(
            "Copies of few originals: an image-level split puts the same picture on both sides.",
            "Where the originals come from is not said; ALL and H may be ALL-IDB ?.",
        ),
        overlaps=("all_idb1", "all_idb2"),
        tested="a fabricated miniature; odd: originals beside their copies, copies in several folders, one name in two classes",
    ),
)  # fmt: skip
