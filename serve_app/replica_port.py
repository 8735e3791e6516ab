"""Where a replica's port for other deployments listens. Serve opens it on every interface."""

from typing import Any

from ray import util
from ray._common import network_utils
from ray.serve._private import replica

_replica: Any = replica  # nothing in it is public
_network: Any = network_utils
_util: Any = util


def listen_on_the_node_s_address_only() -> None:
    """Call it before the replica is initialised: the port is opened after the deployment is made.

    Serve has no setting for it; callers dial the node's address, which on one machine is loopback.
    """
    add_port = _replica.add_port_to_grpc_server
    address = _network.build_address(_util.get_node_ip_address(), 0)
    _replica.add_port_to_grpc_server = lambda server, _everywhere: add_port(server, address)
