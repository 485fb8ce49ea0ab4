//! ndis.sys: the exports a miniport driver imports, and the objects behind them.
