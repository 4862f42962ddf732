//! Where work goes that is not answered where it is executed.

/// Who answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The service for pages and operations.
    Service,
    /// The engine that gives places and keeps histories.
    Engine,
}
