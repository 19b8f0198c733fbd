"""powerstage: rehearse the exchange of data-center power telemetry between two organisations.

The rooms, in the order in which data flows:

    contract    what both sides signed
    producer    mock data, an export taken in, publishing
    store       object storage as a few verbs: S3, a folder, memory
    consumer    discover, fetch, judge, keep; receipts
    checks      the data unit tests, which both sides share
    faults      named, deliberate defects
    display     the terminal
    sim         embedded S3 and the demo

Import from a room (``from powerstage import producer``): the name says which
organisation you are.
"""

__version__ = "0.1.0"
