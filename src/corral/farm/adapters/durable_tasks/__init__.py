"""The task engine on DBOS Transact: the only place that knows it.

DBOS keeps queues and schedules in a database and starts what is due on one of the workers that
listen. It decides when and where; what a task is, how far it is and whether it may go on is in the
farm's own records, so that nothing but workers ever loads this package.
"""
