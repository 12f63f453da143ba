"""A kubelet for processes: a Node of a real cluster whose containers are processes of this machine.

What differs from a real node: images are not pulled but mapped to programs of this machine (`images`). Pods
share one network: each has its own loopback address, and 0.0.0.0, 127.0.0.1 and localhost become it in
arguments and variables (`translation`). Containers have namespaces of mounts and processes (`mounts`) where
the kernel allows them: volumes at their paths, and everything ends with the first process. Where it does not,
paths are replaced like addresses. Commands of probes see the container's files but not its processes. Limits,
users and read-only roots are not enforced.
"""

from tests.support.cluster.process_node.images import Image
from tests.support.cluster.process_node.node import ProcessNode
from tests.support.cluster.process_node.running_node import RunningNode
from tests.support.cluster.process_node.settings import GPU_TAINT, NodeSettings, gpu_labels

__all__ = ["GPU_TAINT", "Image", "NodeSettings", "ProcessNode", "RunningNode", "gpu_labels"]
