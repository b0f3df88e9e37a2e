"""The bus: Kafka through aiokafka, with deadlines everywhere and at-least-once delivery."""
