mod dma;
mod handles;
mod pool;
