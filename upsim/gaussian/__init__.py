def channel_map(*a): raise NotImplementedError
