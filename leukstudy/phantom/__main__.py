"""`python -m leukstudy.phantom --out DIR`: draw the embedded phantom, assets/phantom.

`leukstudy phantom` draws any other.
"""

import argparse
import sys
from pathlib import Path

from leukstudy.phantom.smear import EMBEDDED, EMBEDDED_IMAGES, EMBEDDED_SEED, write_phantom


def main(argv: list[str] | None = None) -> int:
    """Draw the embedded phantom where the command line asks; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m leukstudy.phantom", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder that is absent or empty")
    parser.add_argument("--seed", type=int, default=EMBEDDED_SEED, help="the same seed gives the same bytes")
    parser.add_argument("--workers", type=int, default=1, help="processes; the result does not depend on it")
    args = parser.parse_args(argv)
    try:
        frame = write_phantom(
            args.out,
            seed=args.seed,
            patients=EMBEDDED,
            images_per_patient=EMBEDDED_IMAGES,
            workers=args.workers,
        )
    except (FileExistsError, ValueError) as error:
        print(f"phantom: {error}", file=sys.stderr)
        return 2
    print(f"{len(frame)} drawings of {frame['patient_id'].nunique()} patients in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
