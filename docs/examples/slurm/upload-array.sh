#!/usr/bin/env bash
# The rows of a sheet, shared out over an array job: sbatch --array=1-4 upload-array.sh run42.csv 1234567890
#SBATCH --job-name=turboupload
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=1-00:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --output=upload-%A-%a.log
set -euo pipefail
sheet=$1 store=$2

# On a disk that all nodes see: the journal of each task, so that it goes on wherever it is started again, and
# what is left of the quota, which is the account's.
shared=${TURBOUPLOAD_SHARED:-$PWD/.turboupload}
mkdir -p "$shared"
code=0
turboupload batch "$sheet" --store "$store" --shard auto --quota-share "$shared/quota" \
  --state-dir "$shared/task-$SLURM_ARRAY_TASK_ID" --results results.csv --quiet &
child=$!
# SLURM tells this shell that the time is over, and this shell tells the upload.
trap 'kill -TERM "$child" 2>/dev/null || true' TERM
wait "$child" || code=$?
if kill -0 "$child" 2>/dev/null; then
  code=0
  wait "$child" || code=$?
fi
# 5 and 130: stopped part-way. The same command goes on.
if [[ $code == 5 || $code == 130 ]] && [ -n "${SLURM_JOB_ID:-}" ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
