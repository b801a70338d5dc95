"""The ledger: answered rows kept before their answers leave, verified, replayed, exported, erased."""
