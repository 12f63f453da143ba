"""A kubelet for processes: a Node of a real cluster whose containers are processes of this machine.

What differs from a real node: images are not pulled but mapped to programs of this machine (`images`); there
are no namespaces, so each pod has its own loopback address, and paths of volumes and the addresses 0.0.0.0
and 127.0.0.1 are replaced in arguments and environment (`translation`); limits and users are not enforced.
"""

from tests.support.cluster.process_node.images import Image
from tests.support.cluster.process_node.node import ProcessNode
from tests.support.cluster.process_node.running_node import RunningNode
from tests.support.cluster.process_node.settings import NodeSettings, gpu_labels

__all__ = ["Image", "NodeSettings", "ProcessNode", "RunningNode", "gpu_labels"]
