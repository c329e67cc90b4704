#!/usr/bin/env bash
# One task a line of files.tsv (name, tab, FASTQ): sbatch --array=1-"$(wc -l <files.tsv)"%4 upload-array.sh 1234567890
#SBATCH --job-name=turboupload
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=1-00:00:00
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --output=upload-%A-%a.log
set -euo pipefail
store=$1
IFS=$'\t' read -r name fastq < <(sed -n "${SLURM_ARRAY_TASK_ID}p" files.tsv)

# The journal on a disk that all nodes share, so that a task goes on wherever it is started again. The quota
# is the account's: with four tasks at a time each takes a quarter of its ten parts a second.
export TURBOUPLOAD_STATE_DIR=${TURBOUPLOAD_STATE_DIR:-$PWD/.turboupload/$name}
code=0
turboupload upload "$fastq" --store "$store" --name "$name" --sample "$name" --subject "$name" \
  --quota UploadReadSetPart=2.5 --quota CreateMultipartReadSetUpload=0.25 --receipt "$name.receipt.json" --quiet &
wait $! || code=$?
# 5 and 130: stopped part-way. The same command goes on.
if [[ $code == 5 || $code == 130 ]] && [ -n "${SLURM_JOB_ID:-}" ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
