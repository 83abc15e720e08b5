"""Sources of normal blood cells: for domain shift, pretraining and segmentation, not for diagnosis."""

from leukstudy.data.registry.source import Source

_PBC_CLASSES = {
    "basophil": 1218,
    "eosinophil": 3117,
    "erythroblast": 1551,
    "ig": 2895,
    "lymphocyte": 1214,
    "monocyte": 1420,
    "neutrophil": 3329,
    "platelet": 2348,
}
_ACEVEDO = (
    "Acevedo A et al. A dataset of microscopic peripheral blood cell images for development of automatic "
    "recognition systems. Data in Brief 2020;30:105474."
)

CELLS = (
    Source(
        name="pbc",
        title="PBC (Hospital Clinic, Barcelona)",
        adapter="pbc",
        licence="CC BY 4.0",
        home="https://data.mendeley.com/datasets/snkd93bnjr/1",
        doi="10.17632/snkd93bnjr.1",
        citation=_ACEVEDO,
        gate="open",
        access="'Download all' on Mendeley Data's page; the direct address is one that public code uses ?",
        download=("https://prod-dcd-datasets-cache-zipfiles.s3.eu-west-1.amazonaws.com/snkd93bnjr-1.zip",),
        layout="PBC_dataset_normal_DIB/<class>/<PREFIX>_<n>.jpg at any depth, a zip within a zip",
        label_kind="cell type",
        classes=_PBC_CLASSES,
        images=17092,
        image_size="about 360x363",
        group_level="block",
        groups="no patient known: blocks of file numbers",
        cautions=(
            "Cells of people without infection or disease of the blood: every one is normal.",
            "The counts of the eight types are from the paper ?; only their sum was checked.",
            "'ig' holds immature granulocytes (MY, PMY, MMY in the names), 'neutrophil' bands and segmented ones.",
        ),
        overlaps=("bloodmnist",),
        tested="a fabricated miniature; odd: a hidden .DS_*.jpg, a zip within a zip",
    ),
    Source(
        name="bloodmnist",
        title="BloodMNIST",
        adapter="bloodmnist",
        licence="CC BY 4.0",
        home="https://zenodo.org/records/10519652",
        doi="10.5281/zenodo.10519652",
        citation="Yang J et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image "
        "classification. Sci Data 2023;10:41. Images: " + _ACEVEDO,
        gate="open",
        access="direct download; four sizes of the same images",
        download=tuple(
            f"https://zenodo.org/records/10519652/files/bloodmnist{size}.npz?download=1"
            for size in ("", "_64", "_128", "_224")
        ),
        checksums={
            "bloodmnist.npz": "md5:7053d0359d879ad8a5505303e11de1dc",
            "bloodmnist_64.npz": "md5:2b94928a2ae4916078ca51e05b6b800b",
            "bloodmnist_128.npz": "md5:adace1e0ed228fccda1f39692059dd4c",
            "bloodmnist_224.npz": "md5:b718ff6835fcbdb22ba9eacccd7b2601",
        },
        layout=(
            "bloodmnist[_64|_128|_224].npz with {train,val,test}_{images,labels}; it is unpacked to <class>/<split>_N.png "
            "and metadata.csv with the official split"
        ),
        label_kind="cell type",
        classes=_PBC_CLASSES,
        images=11959 + 1712 + 3421,
        image_size="28x28, 64x64, 128x128, 224x224",
        group_level="block",
        groups="no patient known; the official split (11,959 / 1,712 / 3,421) deals images",
        cautions=(
            "The images of PBC, cropped and resized: never external to it.",
            "28x28 images are below acquire.min_side and would all be left out as tiny.",
        ),
        overlaps=("pbc",),
        tested="a fabricated npz; odd: missing arrays, pickled objects, labels or shapes that do not fit, a truncated file",
    ),
    Source(
        name="raabin",
        title="Raabin-WBC, double-labelled crops",
        adapter="raabin",
        licence="?",
        home="https://raabindata.com/free-data",
        doi="10.1038/s41598-021-04426-x",
        citation="Kouzehkanan ZM et al. A large dataset of white blood cells containing cell locations and types, along "
        "with segmented nuclei and cytoplasm. Sci Rep 2022;12:1123.",
        gate="open",
        access="download Train, TestA and TestB of the double-labelled crops from the page (rar or zip ?)",
        layout="{Train,TestA,TestB}/{Basophil,Eosinophil,Lymphocyte,Monocyte,Neutrophil}/ at any depth",
        label_kind="cell type",
        classes=dict.fromkeys(("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")),
        images=16633,
        image_size="575x575 ?",
        group_level="block",
        groups="no patient in the names ?: blocks of file numbers",
        cautions=(
            "TestA and TestB are both official test; TestB comes from another camera and stain ?.",
            "Said to be of healthy people, but for some basophils of a patient with leukaemia ?.",
            "Its Leukemia_Data (ALL, AML, CLL, CML) is another delivery, which no adapter here has seen.",
        ),
        tested="a fabricated miniature; odd: letter case, a folder of no split",
    ),
    Source(
        name="bccd",
        title="BCCD: fields with boxes",
        adapter="bccd",
        licence="MIT",
        home="https://github.com/Shenggan/BCCD_Dataset",
        citation="Shenggan. BCCD Dataset, 2017 (photographs by cosmicad and akshaylamba).",
        gate="open",
        access="direct download of the repository",
        download=("https://github.com/Shenggan/BCCD_Dataset/archive/refs/heads/master.zip",),
        layout=(
            "JPEGImages/BloodImage_NNNNN.jpg, Annotations/ (Pascal VOC XML: RBC, WBC, Platelets), optionally "
            "ImageSets/Main/{train,val,test}.txt and nucleus_masks_banik/BloodImage_Mask_NNNNN.png"
        ),
        label_kind="none",
        classes={"unlabelled": 364},
        images=364,
        image_size="640x480",
        group_level="block",
        groups="none known: blocks of file numbers",
        cautions=(
            "Fields, not cells, and no diagnosis: for boxes, counting and segmentation.",
            "Two boxes of red cells have no area (BloodImage_00338, BloodImage_00343).",
            "The third-party nucleus masks are JPEG-like greys, and three have no image (00096, 00280, 00329).",
        ),
        tested="364 real images (boxes: 4,153 RBC of 4,155, 372 WBC, 361 platelets; 364 masks); a fabricated miniature; odd: boxes "
        "without area, outside the image, without numbers, of unknown cells; broken XML, XML and masks without image",
    ),
    Source(
        name="segmentation_wbc",
        title="segmentation_WBC (Zheng 2018)",
        adapter="segmentation_wbc",
        licence="GPL-3",
        home="https://github.com/zxaoyou/segmentation_WBC",
        doi="10.1016/j.micron.2018.01.010",
        citation="Zheng X, Wang Y, Wang G, Liu J. Fast and robust segmentation of white blood cell images by "
        "self-supervised learning. Micron 2018;107:55-71.",
        gate="open",
        access="direct download of the repository",
        download=("https://github.com/zxaoyou/segmentation_WBC/archive/refs/heads/master.zip",),
        layout=(
            "'Dataset 1/' and 'Dataset 2/' (or one of them alone) with NNN.bmp and its mask NNN.png (0 background, 128 "
            "cytoplasm, 255 nucleus); 'Class Labels of Dataset N.csv' beside them, or labels.csv"
        ),
        label_kind="cell type",
        classes={
            "type 1": 176 + 33,
            "type 2": 53 + 37,
            "type 3": 48 + 15,
            "type 4": 22 + 12,
            "type 5": 1 + 3,
        },
        images=400,
        image_size="about 120x120 (Dataset 1: 104 to 120 a side), 300x300 (Dataset 2)",
        group_level="block",
        groups="none known: blocks of file numbers; two laboratories",
        cautions=(
            "Types are numbers 1 to 5, kept as 'type 1' ...: which cell each means is not said, and readers disagree.",
            "Dataset 1 has one image of type 5 only.",
        ),
        exclusions={"139.bmp": "the same picture as 112.bmp of Dataset 1 (with another drawing of its mask)"},
        tested="300 real images with masks (Dataset 1 alone, flat, labels.csv); fabricated miniatures; odd: images without type or "
        "mask, types without image, one CSV for two datasets",
    ),
)
