left_out 'it installs the libraries of other systems; what they made is in the tree'
