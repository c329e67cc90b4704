"""A script that uploads the BAM files of a folder, one after the other, and can be run again.

python script.py FOLDER STORE_ID REFERENCE_ARN
"""

import sys
from pathlib import Path

import turboupload


def main(folder: str, store_id: str, reference_arn: str | None = None) -> int:
    """Uploads what is there; returns the exit code."""
    worst = 0
    for path in sorted(Path(folder).iterdir()):
        if path.suffixes[-1:] not in ([".bam"], [".gz"]):
            continue
        name = path.name.split(".")[0]
        read_set = turboupload.ReadSet(
            sources=[path],
            name=name,
            sample_id=name,
            subject_id=name,
            reference_arn=reference_arn if path.suffix == ".bam" else None,
        )
        try:
            result = turboupload.upload_sync(read_set, store_id=store_id)
        except turboupload.TurbouploadError as error:
            print(f"{path.name}: {error} ({error.hint or 'no hint'})", file=sys.stderr)
            worst = max(worst, error.exit_code)
        else:
            print(f"{path.name}\t{result.read_set_id}\t{result.status}")
    return worst


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
