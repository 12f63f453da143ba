"""A real Kubernetes control plane on this machine: built once, started in seconds, ended for certain.

`build` makes the programs, `control_plane` runs them, `api_client` and `admin` ask them, `process_node` is a
kubelet whose containers are processes.
"""
