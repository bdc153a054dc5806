"""Chunking: packets become pulses, pulses become batches, batches become chunks. No socket, thread or clock."""
