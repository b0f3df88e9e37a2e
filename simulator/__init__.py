"""The vendors, simulated from their own documents: callbacks as they write, sign, deliver and repeat them."""
