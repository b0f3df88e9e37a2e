"""Results that a vendor is asked for: they go to the raw topics as a callback's would.

Agora and iFlytek are asked task by task, as the controller does anyway; Yidun gives all results of a business together.
"""
