# Activates this environment in fish: source bin/activate.fish; `deactivate` takes it back.

function deactivate --description "Take back what activate.fish did"
    for script in $CONDA_PREFIX/etc/conda/deactivate.d/*.fish
        source $script
    end
    if set -l place (contains --index -- $CONDA_PREFIX/bin $PATH)
        set --erase PATH[$place]
    end
    set --erase CONDA_PREFIX
    functions --erase deactivate
end

set --global --export CONDA_PREFIX (cd (dirname (status --current-filename))/..; and pwd)
set --global --export PATH $CONDA_PREFIX/bin $PATH
for script in $CONDA_PREFIX/etc/conda/activate.d/*.fish
    source $script
end
