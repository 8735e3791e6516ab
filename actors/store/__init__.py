"""The store service: menus, tickets, and the numbers that are called at the counter."""
