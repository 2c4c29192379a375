//! Loading inventories of issued serial numbers into the store.

use crate::store::{InventoryLoad, IssuerNumber, Store, StoreError};
use crate::x509::SerialNumber;
use std::sync::Arc;
