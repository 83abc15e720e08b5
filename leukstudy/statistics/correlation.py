"""Which features rise and fall together: rank correlations, the families they form, the order in which they are drawn."""

import numpy as np
import pandas as pd

ALIKE = 0.7  # mean absolute rank correlation from which features are one family


def families(features: pd.DataFrame, alike: float = ALIKE) -> list[list[str]]:
    """Sort columns into families by average linkage on 1 - |Spearman's correlation|, in the order of the columns.

    Constant columns are families of their own. For training rows.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415 - scipy takes a second, few stages need it

    if features.shape[1] < 2:
        return [[name] for name in features]
    tree = linkage(_distances(correlations(features)), "average")
    number = pd.Series(fcluster(tree, 1 - alike, "distance"), index=features.columns)
    return [list(members) for members in number.groupby(number, sort=False).groups.values()]


def clustered(features: pd.DataFrame, most: int = 40) -> pd.DataFrame:
    """Give the columns' Spearman correlations (F, F), alike ones side by side; of too many, one of each family.

    With more than `most` columns the tree is cut into `most` families, and the first column of each is kept.
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage  # noqa: PLC0415

    table = correlations(features)
    if len(table) > most:
        number = pd.Series(fcluster(linkage(_distances(table), "average"), most, "maxclust"))
        kept = ~number.duplicated().to_numpy()
        table = table.loc[kept, kept]
    if len(table) < 3:
        return table
    order = leaves_list(linkage(_distances(table), "average", optimal_ordering=True))
    return table.iloc[order, order]


def unlike_pair(differences: pd.DataFrame, table: pd.DataFrame, alike: float = ALIKE) -> tuple[str, ...]:
    """Choose two features to draw against each other: the one that differs most by class, and the next unlike it.

    `differences` is that of `exploration.class_differences`, `table` of `correlations`. Where all are alike the second
    is the one least like the first. Fewer than two features make no pair: ().
    """
    order = [name for name in differences.sort_values("share", ascending=False)["feature"] if name in table]
    if len(order) < 2:
        return ()
    first, *others = order
    strength = table.loc[first, others].abs()
    unlike = [name for name in others if strength[name] < alike]
    return first, (unlike[0] if unlike else str(strength.idxmin()))


def correlations(features: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlations of the columns (F, F); 0 with a constant column, gaps take the median."""
    ranks = features.astype(np.float64).replace([np.inf, -np.inf], np.nan)
    table = ranks.fillna(ranks.median()).rank().corr().fillna(0.0).to_numpy(copy=True)
    np.fill_diagonal(table, 1.0)
    return pd.DataFrame(table, index=features.columns, columns=features.columns)


def _distances(table: pd.DataFrame) -> np.ndarray:
    """1 - |correlation| of each pair, as `linkage` reads it."""
    from scipy.spatial.distance import squareform  # noqa: PLC0415

    # rounded, so that sums in another order on another machine do not turn a tie in the tree round
    distance = np.round(np.clip(1 - np.abs(table.to_numpy()), 0, None), 9)
    return squareform((distance + distance.T) / 2, checks=False)


def family_name(family: list[str]) -> str:
    """Name a family after its first two features: `nucleus area, cell area + 3`."""
    short = [name.removeprefix("morph_").replace("_", " ") for name in family]
    return ", ".join(short[:2]) + (f" + {len(short) - 2}" if len(short) > 2 else "")
