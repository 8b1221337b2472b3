# shellcheck shell=sh disable=SC2034,SC2154
# preflight.sh - stop before the training when GPUs were asked for and the framework cannot use one: a build for the
# CPU alone would train for days where hours were planned.  Comes before job.sh, where GPUs are asked for.

# Sets gnj_seen to what the program's Python has, where a file of the project imports PyTorch.
gnj_torch() {
    gnj_seen=$("$gnj_py" -c 'import importlib.util, itertools, os, re, sys
a = [os.path.join(t, n) for t, d, f in itertools.islice(os.walk("."), 2000) for n in f if n.endswith(".py")][:5000]
says = re.compile(br"(?m)^\s*(?:import|from)\s+torch\b").search
if not any(says(open(p, "rb").read(1 << 20)) for p in a) or not importlib.util.find_spec("torch"): sys.exit()
import torch
v = torch.version.cuda or getattr(torch.version, "hip", None) or "-"
if not torch.cuda.is_available(): print(torch.__version__, v)' 2>/dev/null </dev/null) || gnj_seen=
}

gnj_preflight() {
    case $gnj_kind in
    python | module | pycmd) gnj_torch ;;
    *) return 0 ;;
    esac
    case $gnj_seen in
    '') return 0 ;;
    *' -') gnj_say "GPUs were asked for, and PyTorch ${gnj_seen% *} on $(uname -n) is a build for the CPU alone:" \
        "name one with CUDA in requirements.txt, or do without --gpus" ;;
    *) gnj_say "GPUs were asked for, and PyTorch ${gnj_seen% *} on $(uname -n) sees none:" \
        "its CUDA ${gnj_seen#* } may be newer than the driver there (nvidia-smi says what that takes)" ;;
    esac
    gnj_fail 1
}
