"""Plays the kubelet: runs the pod of a Deployment as a process of this machine, as the API server describes it."""

from testbed.kubelet.pod import Pod
from testbed.kubelet.runtime import Host, Image
from testbed.kubelet.template import PodCannotStartError

__all__ = ["Host", "Image", "Pod", "PodCannotStartError"]
