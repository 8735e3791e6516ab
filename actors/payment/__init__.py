"""The payment service: charges an order once, and undoes it for good."""
