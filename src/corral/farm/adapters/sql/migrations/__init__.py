"""Migrations, packaged with the code that needs them.

``NNNN_expand_what`` adds and is run before any server has the new release; ``NNNN_contract_what``
removes and is run when no server has the old one any more (ADR 0006).
"""
