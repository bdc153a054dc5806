"""Where process_chunk runs, if not in this process: workers, blocks that are handed out to them, and the way there."""

from livered_core.engine.executors.base import Executor, ExecutorLost, ExecutorStatus, open_executor

__all__ = ["Executor", "ExecutorLost", "ExecutorStatus", "open_executor"]
