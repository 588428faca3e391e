"""The farm's records in a relational database.

SQLAlchemy Core, no mapper: every query that runs is written here. Portable SQL only; what a
database needs of its own is in ``sqlite`` and ``postgresql``. Rows become domain values in ``rows``
and nowhere else.
"""
