"""The services, as each of them reaches the others."""

from actors.order.actor import order_host
from actors.payment.actor import payment_actor
from actors.peers import Peers
from actors.store.actor import store_actor
from readmodel.projector import projection_actor

PEERS = Peers(payment_actor, store_actor, projection_actor, order_host)
