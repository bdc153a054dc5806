"""adara"""
