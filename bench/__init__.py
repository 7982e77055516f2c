"""What failover costs, with netfail-hooks and with what people use today (``bench/run``)."""
