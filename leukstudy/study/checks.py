"""What the audit asks, and the verdicts that it gives: plain data, which the parameters are checked against."""

CHECKS: dict[str, str] = {
    "exact_duplicates": "Is any picture there twice, by its bytes or its pixels?",
    "near_duplicates": "Are there copies that were re-encoded, resized, brightened or turned, or fields shot twice?",
    "label_conflicts": "Does one patient, or one picture, stand under several labels?",
    "groups_across_splits": "Does a group, or a near duplicate, stand in more than one of train, val and test?",
    "class_by_source": "Does the source give the class away?",
    "class_by_camera": "Does the camera named in the files give the class away?",
    "class_by_size": "Does the size of the pictures give the class away?",
    "class_by_format": "Does the file format give the class away?",
    "class_by_file_size": "Is a class alone in its range of file sizes?",
    "shortcut_background": "Does the background's colour alone tell the classes apart?",
    "shortcut_borders": "Do borders and corners alone tell the classes apart?",
    "shortcut_brightness": "Do brightness and contrast alone tell the classes apart?",
    "shortcut_file_size": "Does the file size alone tell the classes apart?",
    "shortcut_image_size": "Does the image size alone tell the classes apart?",
    "overlay": "Is text, a scale bar or a frame burnt into the pictures?",
    "out_of_focus": "Are pictures out of focus?",
    "exposure": "Are pictures over- or underexposed?",
    "nearly_empty": "Are pictures nearly empty?",
    "few_groups": "Has every class enough groups for the split and the folds?",
}
"""Name -> question of every check, in the order in which they are reported."""

VERDICTS = ("pass", "warn", "fail")
"""`fail`: results on these data cannot be trusted as they are; `warn`: read on, and with caution."""
