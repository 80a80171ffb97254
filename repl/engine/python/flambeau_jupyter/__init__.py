"""What tools for notebooks ask of Flambeau: colours for scripts, notebooks as scripts, parameters as
a script's variables.

A package of its own: these tools look for it whatever they do, and `import flambeau` loads torch."""
