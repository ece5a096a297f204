# Activates this environment in fish: source bin/activate.fish; `deactivate` takes it back.

function deactivate --description "Take back what activate.fish did"
    for script in $CONDA_PREFIX/etc/conda/deactivate.d/*.fish
        source $script
    end
    for name in $_CONDA_STORE_VARIABLES
        set --local old _CONDA_STORE_SAVED_$name
        if set --query $old
            set --global --export $name $$old
            set --erase $old
        else
            set --erase $name
        end
    end
    set --erase _CONDA_STORE_VARIABLES
    if set -l place (contains --index -- $CONDA_PREFIX/bin $PATH)
        set --erase PATH[$place]
    end
    set --erase CONDA_PREFIX
    functions --erase deactivate
end

set --global --export CONDA_PREFIX (cd (dirname (status --current-filename))/..; and pwd)
set --global --export PATH $CONDA_PREFIX/bin $PATH

function _conda_store_set --description "NAME VALUE: exports the variable, and remembers what it was"
    if set --query $argv[1]
        set --global _CONDA_STORE_SAVED_$argv[1] $$argv[1]
    end
    set --global --export $argv[1] $argv[2]
    set --global --append _CONDA_STORE_VARIABLES $argv[1]
end

@VARIABLES@
functions --erase _conda_store_set
for script in $CONDA_PREFIX/etc/conda/activate.d/*.fish
    source $script
end
