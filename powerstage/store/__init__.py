"""Object storage as few verbs: get, put, put-if-absent, list, page, head; and a queue of hints.

Three stores have them all: S3, a folder, memory. What a store knows of a contract: nothing.
"""

from powerstage.store.counting import CountingStore
from powerstage.store.create import create, read, require_write_once
from powerstage.store.folder import FolderStore
from powerstage.store.memory import MemoryStore
from powerstage.store.observation import Observation
from powerstage.store.open import is_local, local_folder, open_bucket, open_store
from powerstage.store.policy import policy, policy_path
from powerstage.store.protocol import (
    Get,
    Head,
    List,
    ObjectInfo,
    Page,
    Put,
    PutIfAbsent,
    Store,
    VersionedStore,
    VersionInfo,
    Versions,
)
from powerstage.store.queue import Hint, HintQueue

__all__ = [
    "CountingStore",
    "FolderStore",
    "Get",
    "Head",
    "Hint",
    "HintQueue",
    "List",
    "MemoryStore",
    "ObjectInfo",
    "Observation",
    "Page",
    "Put",
    "PutIfAbsent",
    "Store",
    "VersionInfo",
    "VersionedStore",
    "Versions",
    "create",
    "is_local",
    "local_folder",
    "open_bucket",
    "open_store",
    "policy",
    "policy_path",
    "read",
    "require_write_once",
]
