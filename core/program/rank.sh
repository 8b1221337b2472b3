# shellcheck shell=sh disable=SC2154
# rank.sh - one task of a run on several nodes: srun starts `sh rank PORT TASKS COMMAND...` for each (job.sh).
# It says in the words of torch.distributed who the others are, and becomes the command.

# A program that is in trouble with these says so itself; what the user set stays.
export RANK="$SLURM_PROCID" WORLD_SIZE="$SLURM_NTASKS" LOCAL_RANK="$SLURM_LOCALID" LOCAL_WORLD_SIZE="$2"
export NODE_RANK="$SLURM_NODEID" NNODES="$SLURM_NNODES"
# where srun was started is where rank 0 is
export MASTER_ADDR="${MASTER_ADDR:-${SLURM_LAUNCH_NODE_IPADDR:-localhost}}" MASTER_PORT="${MASTER_PORT:-$1}"
# torchrun takes its options from these
export PET_NNODES="$NNODES" PET_NODE_RANK="$NODE_RANK" PET_MASTER_ADDR="$MASTER_ADDR" PET_MASTER_PORT="$MASTER_PORT"
: "${PET_NPROC_PER_NODE:=${SLURM_GPUS_ON_NODE:-1}}"
export PET_NPROC_PER_NODE
shift 2
# the first has the run's own log, each other one of its own
[ "$RANK" = 0 ] || exec >>"$GNRRUN_RUN_DIR/log.$RANK" 2>&1
# who stops the run finds the tasks by it
[ "$RANK" != 0 ] || echo "$SLURM_STEP_ID" >"$GNRRUN_RUN_DIR/step"
exec "$@"
