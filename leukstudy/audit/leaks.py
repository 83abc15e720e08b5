"""Copies, conflicts and groups: what would let a model meet in the test what it has seen in training."""

import pandas as pd

from leukstudy.audit.findings import Finding, Thresholds, count, tally
from leukstudy.audit.near_duplicates import clusters


def exact_duplicates(manifest: pd.DataFrame, kept: pd.DataFrame) -> Finding:
    """Copies by bytes or pixels that the catalogue has excluded, and whatever is left of them."""
    copies = manifest[manifest["excluded"].str.startswith("duplicate: ")]
    original = copies["excluded"].str.extract(r"^duplicate: same pixels as (.*)$", expand=False).fillna("")
    columns = manifest.set_index("image_id")[["group_id", "label", "sha256"]].to_dict()
    group, label, digest = columns.values()
    details, other_group, same_bytes = [], 0, 0
    for row, first in zip(copies.itertuples(), original, strict=True):
        bytes_too = digest.get(first) == row.sha256
        other = group.get(first) != row.group_id
        same_bytes, other_group = same_bytes + bytes_too, other_group + other
        note = "the same bytes" if bytes_too else "the same pixels in other bytes"
        details.append((row.image_id, first, 1.0, f"{note}{', another group' if other else ''}; excluded"))
    left = []
    for name in ("sha256", "pixels"):
        if name in kept and not left:
            same = kept[(kept[name] != "") & kept[name].duplicated(keep=False)]
            for _, rows in same.groupby(name, sort=False):
                first = rows.iloc[0]["image_id"]
                left += [(image, first, 1.0, "kept twice") for image in rows["image_id"].iloc[1:]]
    if not details and not left:
        return Finding("exact_duplicates", "pass", f"None among {count(len(manifest), 'file')}.")
    text = (
        f"{count(len(details), 'copy', 'copies')} ({tally(copies['label'])}), {same_bytes} of them by their bytes, "
        f"{other_group} of an image of another group; all excluded."
        if details
        else "None excluded."
    )
    if left:
        crossing = sum(label[a] != label[b] for a, b, *_ in left)
        text += f" {count(len(left), 'copy is', 'copies are')} still kept, {crossing} of them under another label."
        return Finding("exact_duplicates", "fail", text, "Catalogue the data again.", left + details)
    advice = (
        "Nothing to do for the split: the first of each is kept. Ask the publisher where the copies come from"
    )
    advice += ", and what else of those groups is copied." if other_group else "."
    return Finding("exact_duplicates", "warn", text, advice, details)


def near_duplicates(kept: pd.DataFrame, near: pd.DataFrame) -> Finding:
    """Confirmed near duplicates (`near_duplicates.find_near_duplicates`) within and across groups and splits."""
    pairs = _sides(kept, near)
    crowded = near.attrs.get("crowded", 0)
    hashes = count(crowded, "perceptual hash", "perceptual hashes")
    more = f" {hashes} had too many neighbours to list all pairs." if crowded else ""
    if pairs.empty:
        return Finding("near_duplicates", "pass", f"None among {count(len(kept), 'image')}.{more}")
    place = {image: row for row, image in enumerate(kept["image_id"])}
    cluster = pd.Series(clusters(pairs["a"].map(place), pairs["b"].map(place), len(kept)))
    sizes = cluster.value_counts()
    sizes = sizes[sizes > 1]
    splits, labels, groups = (int(pairs[f"across_{name}"].sum()) for name in ("split", "label", "group"))
    turned = int((pairs["transform"] != "none").sum())
    text = (
        f"{count(len(pairs), 'pair')} in {count(len(sizes), 'cluster')} of up to {sizes.max()} images, "
        f"correlation {pairs['correlation'].min():.2f} to {pairs['correlation'].max():.2f}, {turned} turned or flipped: "
        f"{splits} across splits, {groups} across groups, {labels} across classes.{more}"
    )
    pairs = pairs.sort_values(
        ["across_split", "across_label", "across_group", "correlation", "a", "b"],
        ascending=[False, False, False, False, True, True],
    )
    if splits:
        advice = "Keep near duplicates in one group before splitting: a test image has been seen in training."
    elif labels:
        advice = "Look at the pairs and find out which label is right; see label_conflicts."
    elif groups:
        advice = (
            "Kept on one side of the split. Groups that share pictures may be one patient: ask, or join them."
        )
    else:
        advice = "Nothing to do for the split: each stands within one group. They count as one observation, not two."
    verdict = "fail" if splits or labels else "warn"
    return Finding("near_duplicates", verdict, text, advice, _pair_details(pairs))


def label_conflicts(manifest: pd.DataFrame, kept: pd.DataFrame, near: pd.DataFrame) -> Finding:
    """Patients (or other groups) and pictures that stand under several labels."""
    labels = kept.groupby("group_id")["label"].agg(lambda names: sorted(set(names)))
    several = labels[labels.map(len) > 1]
    pairs = _sides(kept, near)
    pairs = pairs[pairs["across_label"]]
    same = manifest[manifest["excluded"].str.startswith("conflict: ")]
    if several.empty and pairs.empty and same.empty:
        return Finding("label_conflicts", "pass", "No group and no picture has two labels.")
    level = kept["group_level"].iloc[0]
    text = (
        f"{count(len(several), level)} under several labels; {count(len(pairs), 'near-duplicate pair')} across "
        f"labels; {count(len(same), 'image')} whose pixels stand under another label too (excluded)."
    )
    details = [
        (row.image_id, "", 1.0, row.excluded) for row in same.sort_values("image_id").itertuples()
    ] + _pair_details(pairs.sort_values(["correlation", "a"], ascending=[False, True]))
    # The rarer label of a group is the more suspicious one.
    inside = kept[kept["group_id"].isin(several.index)]
    inside = inside.assign(images=inside.groupby(["group_id", "label"])["image_id"].transform("size"))
    for row in inside.sort_values(["images", "image_id"]).itertuples():
        others = ", ".join(name for name in several[row.group_id] if name != row.label)
        note = f"{row.group_id} is {row.label} here and {others} elsewhere"
        details.append((row.image_id, "", float(row.images), note))
    advice = (
        "Find the right label in the records and correct it, or leave these patients out: neither a split nor a score "
        "means anything for them."
    )
    return Finding("label_conflicts", "fail", text, advice, details)


def groups_across_splits(kept: pd.DataFrame, near: pd.DataFrame) -> Finding:
    """Groups, patients and near duplicates with images in more than one split."""
    dealt = kept[kept["split"] != ""]
    if dealt.empty:
        return Finding("groups_across_splits", "pass", "No split has been assigned yet.")
    details, words = [], []
    for name, noun in (("group_id", "group"), ("patient_id", "patient")):
        rows = dealt[dealt[name] != ""]
        sides = rows.groupby(name)["split"].agg(lambda splits: ", ".join(sorted(set(splits))))
        leaking = sides[sides.str.contains(",")]
        if len(leaking):
            words.append(f"{count(len(leaking), noun)} on several sides")
        for row in rows[rows[name].isin(leaking.index)].itertuples():
            unit = getattr(row, name)
            note = f"{noun} {unit} is in {leaking[unit]}; this image in {row.split}"
            details.append((row.image_id, "", 1.0, note))
    pairs = _sides(kept, near)
    pairs = pairs[pairs["across_split"]]
    if len(pairs):
        words.append(f"{count(len(pairs), 'near-duplicate pair')} on two sides")
        details += _pair_details(pairs)
    if not words:
        groups = count(dealt["group_id"].nunique(), dealt["group_level"].iloc[0])
        text = f"{groups}, each in one split; no near duplicate across."
        return Finding("groups_across_splits", "pass", text)
    advice = (
        "Split by group, near duplicates joined into one group (acquire does both), and run everything again."
    )
    return Finding("groups_across_splits", "fail", "; ".join(words).capitalize() + ".", advice, details)


def few_groups(kept: pd.DataFrame, thresholds: Thresholds) -> Finding:
    """Classes with fewer groups than the split and its folds need."""
    level = kept["group_level"].iloc[0] if len(kept) else "group"
    groups = kept.groupby("label")["group_id"].nunique().sort_index()
    words, details, fail = [], [], False
    for label, number in groups.items():
        rows = kept[kept["label"] == label]
        splits = [name for name in ("train", "val", "test") if name not in set(rows["split"])]
        folds = sorted(set(kept.loc[kept["fold"] >= 0, "fold"]) - set(rows["fold"]))
        problem = []
        if number < 3 or (splits and (kept["split"] != "").any()):
            fail = True
            problem.append(f"missing from {', '.join(splits)}" if number >= 3 else "too few for three splits")
        if number < thresholds.min_groups:
            problem.append(f"expected {thresholds.min_groups} or more")
        if folds:
            problem.append(f"missing from {count(len(folds), 'fold')} of the cross-validation")
        if problem:
            words.append(f"{label} has {count(number, level)} ({', '.join(problem)})")
            note = f"{label}: {count(number, level)}"
            details += [(image, "", float(number), note) for image in rows["image_id"]]
    if not words:
        fewest = ", ".join(f"{label} {number}" for label, number in groups.items())
        test = kept[kept["split"] == "test"].groupby("label")["group_id"].nunique()
        held = f"; in the test split at least {test.min()}" if len(test) else ""
        return Finding("few_groups", "pass", f"{level.capitalize()}s a class: {fewest}{held}.")
    advice = f"Add {level}s of these classes, use fewer folds, or join classes; intervals from so few are too narrow."
    return Finding("few_groups", "fail" if fail else "warn", "; ".join(words) + ".", advice, details)


def _sides(kept: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """The pairs of which both images are kept, and whether they lie across labels, groups and splits."""
    images = kept.set_index("image_id")
    pairs = near[near["a"].isin(images.index) & near["b"].isin(images.index)].reset_index(drop=True)
    for name, column in (("label", "label"), ("group", "group_id"), ("split", "split")):
        a, b = (images.loc[pairs[side], column].to_numpy() for side in ("a", "b"))
        pairs[f"across_{name}"] = a != b
    return pairs


def _pair_details(pairs: pd.DataFrame) -> list[tuple[str, str, float, str]]:
    rows = []
    for pair in pairs.itertuples():
        across = [name for name in ("split", "label", "group") if getattr(pair, f"across_{name}")]
        where = f"across {', '.join(across)}" if across else "within a group"
        turned = "" if pair.transform == "none" else f", {pair.transform}"
        rows.append((pair.a, pair.b, float(pair.correlation), f"{where}; {pair.distance} bits apart{turned}"))
    return rows
