"""The first lines that the child runs: where to import from, and then `serve`.

This is run by its path, in an isolated Python. It takes the very package that started it, wherever
and however that is installed, and no other of the same name.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location

if __name__ == "__main__":
    import json

    told = json.loads(sys.argv[1])
    sys.path[:] = told["path"]
    spec = spec_from_file_location(
        "lstm_probe", told["package"], submodule_search_locations=told["folders"]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["lstm_probe"] = package = module_from_spec(spec)
    spec.loader.exec_module(package)

    from lstm_probe.models.files.child.serve import main

    main()
